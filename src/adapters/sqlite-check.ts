// Looks the file of a store over, while no store has it open.
// Invariant: what it finds is told, not mended.
import { existsSync } from 'node:fs';
import { HoldfastError } from '../protocol/errors.ts';
import { storeFailure } from './sqlite-failure.ts';
import { requireVersions } from './sqlite-backend.ts';

/** What is wrong with the store of a directory, in words; empty when nothing is. */
export async function directoryProblems(directory: string): Promise<readonly string[]> {
  requireVersions(process.versions);
  // Not before: an older Node warns of its SQLite as soon as that is imported.
  const { databasePath, openDatabase } = await import('./sqlite-database.ts');
  const { integrityProblems } = await import('./sqlite-integrity.ts');
  if (!existsSync(databasePath(directory))) {
    const message = `there is no store in ${directory}: give the directory that holds ${databasePath('')}`;
    throw new HoldfastError(message, { code: 'invalid_option' });
  }
  try {
    const database = openDatabase(directory);
    try {
      return integrityProblems(database);
    } finally {
      database.close();
    }
  } catch (cause) {
    throw storeFailure(directory, cause);
  }
}
