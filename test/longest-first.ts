// In which order test files run: the longest first, so that all workers end together.
// Invariant: on a machine that has run them before, measured durations decide; a clean checkout goes by this list.
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Of ten seconds and more, on two cores. Those that measure how others are delayed begin beside one that mostly waits. */
const longest = [
  'chaos/demo-words',
  'chaos/training-gate',
  'conformance/slow-readers',
  'chaos/silent-peers',
  'chaos/hub-killed',
  'conformance/fuzz',
  'unit/cli/commands',
  'chaos/demo-digits',
  'checks/training/rounds',
  'browser/charts',
  'browser/simulate',
  'browser/sequence',
  'browser/fleet',
  'browser/load',
  'conformance/store/etcd',
  'conformance/store/file',
  'chaos/streams',
  'checks/connection-session',
  'chaos/training-killed',
  'simulation/simulation',
  'chaos/store/etcd-watches',
  'chaos/store/etcd-leases',
  'machines/differential',
  'unit/cli/testgen',
  'chaos/store-killed',
];

const placeOf = ({ moduleId }: TestSpecification): number => {
  const place = longest.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return place === -1 ? longest.length : place;
};

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const measured = files.every((file) => this.ctx.cache.getTestSpecificationResult(file) !== undefined);
    return measured ? sorted : sorted.sort((one, other) => placeOf(one) - placeOf(other));
  }
}
