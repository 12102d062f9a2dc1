// The hub's door: registrations that the application has not decided yet, in the order in which it decides them.
// Invariant: what is decided is a registration that came, once, on a socket that has not ended meanwhile.
import { model, type Message, type ModelActor, type Output } from '../../src/checker/index.ts';
import { HUB } from './names.ts';

/** A REGISTER whose sender may not have been let in yet. */
export interface Knock {
  readonly instance: string;
  readonly epoch: number;
  readonly registrationEpoch: number;
}

/** Who waits when one more knocks. Each has a decision of its own. */
export type Admit = (waiting: readonly Knock[], knock: Knock) => readonly Knock[];

const orderOf = ({ instance, epoch, registrationEpoch }: Knock) =>
  [instance, epoch, registrationEpoch].join();

/** The decisions are independent, so the order in which they were asked for says nothing. */
export const admitEach: Admit = (waiting, knock) => {
  const others = waiting.filter((one) => orderOf(one) !== orderOf(knock));
  return [...others, knock].toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
};

export function door(admit: Admit): ModelActor {
  const through = (event: Message): Output => ({ tell: HUB, event });
  return model<readonly Knock[]>({
    initial: [],
    step(waiting, event) {
      const { instance, epoch } = event as unknown as Knock; // told by sockets and by `choices` alone
      const frame = event['frame'] as Message | undefined;
      if (event.type === 'crashed') return { state: [] };
      if (event.type === 'decided') {
        const { registrationEpoch } = event as unknown as Knock;
        const state = waiting.filter(
          (one) => orderOf(one) !== orderOf({ instance, epoch, registrationEpoch }),
        );
        const register = { type: 'register', epoch, registrationEpoch };
        return { state, outputs: [through({ type: 'frame', instance, epoch, frame: register })] };
      }
      if (frame?.type === 'register') {
        const registrationEpoch = frame['registrationEpoch'] as number;
        return { state: admit(waiting, { instance, epoch, registrationEpoch }) };
      }
      if (event.type !== 'closed') return { state: waiting, outputs: [through(event)] };
      const state = waiting.filter((one) => one.instance !== instance || one.epoch !== epoch);
      return { state, outputs: [through(event)] };
    },
    choices: (waiting) =>
      waiting.map((knock) => ({
        event: { type: 'decided', ...knock },
        label: `the application lets ${knock.instance} in`,
      })),
  });
}
