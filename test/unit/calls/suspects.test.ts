// Which nodes of former hubs are missing, came or are gone, and what is shared between clients.
import { describe, expect, it } from 'vitest';
import { Running } from '../../../src/calls/roster.ts';
import { Returned } from '../../../src/calls/suspects.ts';

const facts = { labels: {}, maxConcurrent: 1, functions: new Map<string, number>() };

function node(number: number, ...places: [hub: string, ordinal: number][]): Running {
  const it = new Running({ ...facts, number, id: `n${number}`, instance: `ni${number}` });
  it.ordinals = [...places.map(([hub, ordinal]) => ({ hub, ordinal })), { hub: 'here', ordinal: number }];
  it.state = 'online';
  return it;
}

function leave(returned: Returned, gone: Running): void {
  gone.state = 'gone';
  returned.left(gone, false);
}

/** A new one each time, as RESUME brings them. */
const rosters = () => [{ hub: 'h6', nodes: [0, 2] }];

describe('Suspects', () => {
  it('are missing until they come, under whichever of their ordinals, and once', () => {
    const returned = new Returned('here');
    const suspects = returned.seek(rosters());
    expect([suspects.missing, suspects.owed]).toEqual([2, true]);
    const one = node(1, ['h5', 9], ['h6', 1]);
    returned.came(one);
    returned.came(one);
    returned.came(node(2, ['h6', 7]));
    expect(suspects.missing).toBe(1);
    returned.came(node(3, ['h6', 2]));
    expect([suspects.missing, suspects.owed, suspects.doubt]).toEqual([0, false, 'none']);
    one.queries = 1;
    expect(suspects.owed).toBe(true);
  });

  it('are shared by clients with the same rosters, as long as none of them is gone', () => {
    const returned = new Returned('here');
    const one = node(1, ['h6', 1]);
    returned.came(one);
    const first = returned.seek(rosters());
    expect(returned.seek(rosters())).toBe(first);
    leave(returned, one);
    // It was asked about the calls that were sought before, and cannot be asked about another.
    expect(first.doubt).toBe('none');
    const second = returned.seek(rosters());
    expect([second === first, second.missing, second.doubt]).toEqual([false, 1, 'some']);
  });

  it('go on to be counted when one of them is gone', () => {
    const returned = new Returned('here');
    const one = node(1, ['h6', 1]);
    const suspects = returned.seek(rosters());
    returned.came(one);
    leave(returned, one);
    returned.came(node(2, ['h6', 2]));
    expect(suspects.missing).toBe(0);
  });

  it('are found anew when no call is sought among them any more', () => {
    const returned = new Returned('here');
    const brought = rosters();
    const suspects = returned.seek(brought);
    returned.release(suspects);
    returned.came(node(1, ['h6', 1]));
    expect(suspects.missing).toBe(2);
    expect(returned.seek(brought).missing).toBe(1);
  });

  it('of this very hub do not come later: they were here, and leave a doubt', () => {
    const returned = new Returned('here');
    returned.came(node(1));
    const suspects = returned.seek([{ hub: 'here', nodes: [0, 2] }]);
    expect([suspects.missing, suspects.doubt]).toEqual([0, 'some']);
  });

  it('that are gone and forgotten are missing again', () => {
    const returned = new Returned('here');
    const one = node(1, ['h6', 1]);
    returned.came(one);
    const suspects = returned.seek(rosters());
    leave(returned, one);
    expect(suspects.missing).toBe(1);
    for (let number = 2; number <= 20_001; number += 1) {
      const other = node(number);
      returned.came(other);
      leave(returned, other);
    }
    expect(suspects.missing).toBe(2);
    returned.came(node(1, ['h6', 1]));
    expect(suspects.missing).toBe(1);
  });
});
