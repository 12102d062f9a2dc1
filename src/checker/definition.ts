// The check of a definition for what a search could not report well.
// Invariant: looks only; a definition that is right is answered as it was given.
import { isObject, refuseOutputs, refuseUnknown, whatIs } from './shape.ts';
import type { Action, Channel, MachineActor, ModelActor, SystemDefinition } from './system.ts';

type Fields<T> = Readonly<Record<keyof T, true>>;

const DEFINITION: Fields<SystemDefinition> = {
  actors: true,
  channels: true,
  route: true,
  deliver: true,
  actions: true,
  budgets: true,
  fires: true,
  maxLocalStates: true,
  epochFamily: true,
  symmetry: true,
};
const ACTION: Fields<Action> = { outputs: true, budget: true, fault: true };
const CHANNEL: Fields<Channel> = {
  order: true,
  lossy: true,
  duplicating: true,
  delivered: true,
  ignored: true,
  capacity: true,
};
const MACHINE: Fields<MachineActor> = {
  machine: true,
  input: true,
  effects: true,
  started: true,
  projection: true,
  record: true,
};

function refuseActor(name: string, actor: MachineActor | ModelActor): void {
  if (!isObject(actor)) throw new Error(`actor '${name}' is ${whatIs(actor)}; write { machine: … }`);
  if ('getInitialSnapshot' in actor)
    throw new Error(`actor '${name}' is a machine itself; write { machine: … } around it`);
  if (!('machine' in actor)) {
    if (typeof actor['step'] === 'function' && 'initial' in actor) return;
    throw new Error(`actor '${name}' has neither a machine nor \`initial\` and \`step\`, as a model has`);
  }
  const { machine } = actor as { readonly machine: unknown };
  if (!isObject(machine) || typeof machine['getInitialSnapshot'] !== 'function')
    throw new Error(
      `the machine of actor '${name}' is ${whatIs(machine)}, none of XState v5; give what createMachine answers`,
    );
  refuseUnknown(`actor '${name}'`, actor, MACHINE);
}

function refuseDefinition(definition: SystemDefinition): void {
  refuseUnknown('a system', definition, DEFINITION);
  if (!isObject(definition.actors)) throw new Error('a system needs `actors`: { name: { machine } }');
  if (typeof definition.route !== 'function')
    throw new Error('a system needs `route`, which says what an effect leads to: (actor, effect) => outputs');
  for (const [name, actor] of Object.entries(definition.actors)) refuseActor(name, actor);
  for (const [name, channel] of Object.entries(definition.channels ?? {}))
    refuseUnknown(`channel '${name}'`, channel, CHANNEL);
  for (const [name, action] of Object.entries(definition.actions ?? {})) {
    refuseUnknown(`action '${name}'`, action, ACTION);
    refuseOutputs(action.outputs, `action '${name}'`);
  }
}

/**
 * Checks a definition for what a search could not report well.
 *
 * @throws Error that names the part: no actors, a field that does not exist, a name used twice, a
 * budget that is not a whole number or not declared
 */
export function defineSystem(definition: SystemDefinition): SystemDefinition {
  refuseDefinition(definition);
  const { actors, channels = {}, actions = {}, budgets = {}, deliver } = definition;
  const names = [...Object.keys(actors), ...Object.keys(channels)];
  if (names.length === 0) throw new Error('a system needs at least one actor');
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new Error(`'${twice}' names both an actor and a channel; rename one`);
  for (const [name, times] of Object.entries(budgets)) {
    if (!Number.isInteger(times) || times < 0) {
      throw new Error(
        `budget '${name}' is ${times}; give a whole number, or leave the budget out for any number of times`,
      );
    }
  }
  for (const [name, { budget }] of Object.entries(actions)) {
    if (budget !== undefined && budgets[budget] === undefined) {
      throw new Error(`action '${name}' spends '${budget}', which is not among the budgets`);
    }
  }
  for (const [name, { capacity = 8, order = 'ordered', delivered, ignored }] of Object.entries(channels)) {
    if (order === 'ordered' && (delivered === 'kept' || ignored === 'stays')) {
      throw new Error(
        `channel '${name}' is ordered, and what stays at its head would hold up the rest; make it unordered`,
      );
    }
    if (!Number.isInteger(capacity) || capacity < 1)
      throw new Error(`channel '${name}' has capacity ${capacity}; give 1 or more`);
  }
  if (Object.keys(channels).length > 0 && deliver === undefined) {
    throw new Error('a system with channels needs `deliver`, which says what an arriving message means');
  }
  return definition;
}
