// The machines of one watched app: each under a name of its own, by its definition or by what was seen of it.
// Invariant: a machine is told before it is used, and again whenever its document has changed.
import type { MachineDocument } from './document.ts';
import type { StateValue, Told } from '../protocol/inspection.ts';
import { withState } from './seen-document.ts';
import { readDefinition } from './stately-definition.ts';
import type { StatelySnapshot } from './stately-event.ts';

interface Known {
  /** As it came; undefined for a document that is put together from the states that were seen. */
  readonly definition: string | undefined;
  document: MachineDocument;
}

/** An actor that is no machine: a promise, a callback, a transition function. */
const ACTOR: MachineDocument = {
  id: 'actor',
  description: 'an actor that is no machine',
  initial: 'active',
  states: { active: {}, done: { type: 'final' }, error: { type: 'final' }, stopped: { type: 'final' } },
};

const MOST_MACHINES = 10_000;
/** Characters of all definitions of an app. */
const MOST_DEFINED = 16_777_216;
/** Of a machine whose definition never came. */
const MOST_SEEN_STATES = 200;

export class WatchedMachines {
  readonly #process: string;
  readonly #tell: (message: Told) => void;
  readonly #known = new Map<string, Known>();
  #defined = 0;

  constructor(process: string, tell: (message: Told) => void) {
    this.#process = process;
    this.#tell = tell;
  }

  /** @returns the name under which the machine was told; undefined when there are too many */
  of(name: string, definition: string | undefined, snapshot?: StatelySnapshot): string | undefined {
    const written = readDefinition(definition, name);
    if (written !== undefined) return this.#add(written, definition);
    const isMachine = snapshot === undefined || snapshot.value !== undefined;
    return isMachine ? this.#add({ id: name }, undefined) : this.#add(ACTOR, 'actor');
  }

  /** A state that was seen: it belongs into a document that nobody wrote. */
  saw(machine: string, state: StateValue): void {
    const known = this.#known.get(machine);
    if (known === undefined || known.definition !== undefined) return;
    const document = withState(known.document, state);
    if (document === known.document || Object.keys(document.states ?? {}).length > MOST_SEEN_STATES) return;
    known.document = document;
    this.#say(machine, document);
  }

  /** Two machines of one id are two machines: the second has a number in its name. */
  #add(document: MachineDocument, definition: string | undefined): string | undefined {
    for (let n = 1; this.#known.size <= MOST_MACHINES; n += 1) {
      const name = n === 1 ? document.id : `${document.id} ${n}`;
      const known = this.#known.get(name);
      if (known !== undefined && known.definition === definition) return name;
      if (known !== undefined) continue;
      this.#defined += definition?.length ?? 0;
      if (this.#defined > MOST_DEFINED) return undefined;
      this.#known.set(name, { definition, document });
      this.#say(name, document);
      return name;
    }
    return undefined;
  }

  #say(machine: string, document: MachineDocument): void {
    this.#tell({ kind: 'machine', machine, process: this.#process, document: { ...document } });
  }
}
