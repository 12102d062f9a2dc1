// The file of `holdfast train`: a module that exports the options of a trainer.
// Invariant: what is wrong with it is said in terms of the file; an option that nobody knows is refused, never ignored.
import {
  fedAdam,
  fedAvg,
  fedProx,
  fedYogi,
  type AdaptiveOptions,
  type FedProxOptions,
  type Strategy,
  type TrainerOptions,
  type Weights,
} from '../index.ts';
import { loadModule, refusedFile } from './module-file.ts';

/** What the file decides; the rest are flags. */
export type TrainConfig = Omit<
  TrainerOptions,
  'store' | 'resume' | 'signal' | 'log' | 'onEvent' | 'transitions'
>;

const strategies: Readonly<Record<string, (options: object) => Strategy>> = {
  'fed-avg': () => fedAvg(),
  'fed-prox': (options) => fedProx(options as FedProxOptions),
  'fed-adam': (options) => fedAdam(options as AdaptiveOptions),
  'fed-yogi': (options) => fedYogi(options as AdaptiveOptions),
};

/** `satisfies` holds it complete. */
const known = {
  run: true,
  model: true,
  rounds: true,
  strategy: true,
  gate: true,
  fraction: true,
  minNodes: true,
  maxNodes: true,
  roundQuorum: true,
  deadlineMs: true,
  stragglerGraceMs: true,
  maxAttempts: true,
  config: true,
  seed: true,
  evaluate: true,
  evaluateEvery: true,
  deliver: true,
  onRound: true,
} as const satisfies Record<keyof TrainConfig, true>;

/** @throws HoldfastError `invalid_option` */
export async function loadTrainConfig(file: string): Promise<TrainConfig> {
  const { path, exports } = await loadModule(
    file,
    '--config wants a module that exports a trainer’s options',
  );
  const { default: main, ...named } = exports;
  const given = typeof main === 'object' && main !== null ? { ...named, ...main } : named;
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(known, name));
  if (unknown.length > 0)
    throw refusedFile(`${path} exports ${unknown.join(', ')}; known are ${Object.keys(known).join(', ')}`);
  const config = given as Partial<Record<keyof TrainConfig, unknown>>;
  if (config.model === undefined || config.rounds === undefined)
    throw refusedFile(`${path} exports no ${config.model === undefined ? 'model' : 'rounds'}; ${wanted}`);
  const { strategy, model, ...rest } = config;
  return {
    ...(rest as Omit<TrainConfig, 'model' | 'strategy'>),
    ...(strategy === undefined ? {} : { strategy: strategyOf(path, strategy) }),
    // It may be long to make, and is not needed for more than the beginning.
    model: (typeof model === 'function' ? await (model as () => unknown)() : model) as Weights,
  };
}

const wanted =
  'write for example: export default { rounds: 20, model: [{ shape: [2], data: new Float32Array(2) }] };';

function strategyOf(path: string, given: unknown): Strategy {
  if (typeof given === 'object' && given !== null && 'aggregate' in given) return given as Strategy;
  const { name, ...options } = (typeof given === 'string' ? { name: given } : given) as { name?: unknown };
  const make = typeof name === 'string' && Object.hasOwn(strategies, name) ? strategies[name] : undefined;
  if (make !== undefined) return make(options);
  const names = Object.keys(strategies).join(', ');
  throw refusedFile(
    `the strategy of ${path} is ${String(name)}; give one of ${names}, or a Strategy of yours`,
  );
}
