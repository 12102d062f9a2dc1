// Whether a store's file is what its writers promise: sound pages, whole revisions, an index that fits the history.
// Invariant: reads only.
import type { DatabaseSync } from 'node:sqlite';

/** What must find nothing, each with the words for what it finds. */
const laws: readonly [problem: string, query: string][] = [
  [
    'an index entry that is not the last change of its key',
    `SELECT n.id FROM newest n LEFT JOIN history h ON h.id = n.id
      WHERE h.id IS NULL OR h.key <> n.key OR n.live <> (h.version > 0) OR n.lease IS NOT h.lease`,
  ],
  [
    'a change that its index entry does not lead to',
    `SELECT h.id FROM history h LEFT JOIN newest n ON n.key = h.key
      WHERE h.id <= (SELECT indexed FROM progress) AND (n.id IS NULL OR n.id < h.id)`,
  ],
  [
    'an index that is ahead of the history',
    `SELECT indexed FROM progress WHERE indexed > (SELECT coalesce(max(id), 0) FROM history)
      OR indexed < (SELECT coalesce(max(id), 0) FROM newest)`,
  ],
  [
    'a change out of order',
    `SELECT id FROM (SELECT id, revision, sub, lag(revision, 1, 1) OVER (ORDER BY id) AS r,
      lag(sub, 1, -1) OVER (ORDER BY id) AS s FROM history)
      WHERE revision < r OR (revision = r AND sub <= s)`,
  ],
  [
    'a revision that is not whole',
    `SELECT min(id) FROM history WHERE revision > (SELECT compacted FROM progress)
      GROUP BY revision HAVING count(*) <> max(sub) + 1`,
  ],
  [
    'a gap between revisions',
    `SELECT id FROM (SELECT id, revision, lag(revision) OVER (ORDER BY id) AS r FROM history
      WHERE revision > (SELECT compacted FROM progress)) WHERE revision > r + 1`,
  ],
  [
    'a version that does not follow the one before',
    `SELECT h.id FROM history h JOIN history p ON p.id = h.previous
      WHERE p.key <> h.key OR p.age <> h.age - 1 OR (h.version > 0 AND h.version <> p.version + 1)
      OR (h.version = 0 AND p.version = 0)`,
  ],
  [
    'a milestone without its change',
    `SELECT m.id FROM milestones m LEFT JOIN history h ON h.id = m.id WHERE h.id IS NULL OR h.key <> m.key`,
  ],
];

/** What is wrong with a store's file, in words; empty when nothing is. Takes some seconds for a million changes. */
export function integrityProblems(database: DatabaseSync): string[] {
  const problems: string[] = [];
  // What is damaged may not even be read.
  const look = (query: string, found: (value: string) => string | undefined): void => {
    try {
      for (const row of database.prepare(query).all()) {
        const problem = found(String(Object.values(row)[0]));
        if (problem !== undefined) problems.push(problem);
      }
    } catch (error) {
      problems.push((error as Error).message);
    }
  };
  look('PRAGMA integrity_check', (said) => (said === 'ok' ? undefined : said));
  for (const [problem, query] of laws) look(`${query} LIMIT 1`, (id) => `${problem}: change ${id}`);
  return [...new Set(problems)];
}
