// Each question of each client, put to one front with upstreams of its own, and what was wrong with what came of it.
// Invariant: no two questions share an upstream, so that what one does changes nothing for another.
import { ask, complaints, questions, type Outcome, type Question } from './clients.ts';
import type { Fault, Seen } from './faults.ts';
import type { Front } from './naive-proxy.ts';
import { healthy, startUpstream, type Upstream } from './upstreams.ts';

/** Something in front of upstreams: the proxy, or one that is broken. */
export type StartFront = (upstreams: readonly string[], fault: Fault) => Promise<Front>;

/**
 * - `second`: there is a healthy upstream behind the one with the fault.
 * - `alone`: there is none.
 */
export type Company = 'alone' | 'second';

/** What is wrong with what the upstreams were asked. */
function overasked(
  { text, error }: Outcome,
  { maxRetries = 0 }: Question,
  upstreams: readonly Upstream[],
): string[] {
  const asked = upstreams.map(({ requests }) => requests.length);
  const wrong: string[] = [];
  // Alone it is asked again, since it is the last.
  const most = (upstreams.length === 1 ? 2 : 1) * (1 + maxRetries);
  if (Math.max(...asked) > most)
    wrong.push(`requests ${asked.join(' and ')}, of which ${most} may be to one`);
  if (error !== undefined && text !== '' && asked.reduce((sum, one) => sum + one) > 1)
    wrong.push(`a part of an answer, and ${asked.join(' and ')} requests`);
  return wrong;
}

async function askOne(
  startFront: StartFront,
  fault: Fault,
  question: Question,
  company: Company,
): Promise<string[]> {
  const { behaviour } = fault;
  await using faulty = await startUpstream(behaviour === 'refuses' ? healthy : behaviour);
  if (behaviour === 'refuses') await faulty.fall();
  await using second = await startUpstream();
  const upstreams = company === 'alone' ? [faulty] : [faulty, second];
  const urls = upstreams.map(({ url }) => url);
  await using front = await startFront(urls, fault);
  const outcome = await ask(front.url, { ...question, onText: () => faulty.seen() });
  const hoped = fault[question.mode];
  const seen: Seen = company === 'second' || hoped === 'error' ? hoped : 'either';
  return [...complaints(outcome, seen, upstreams), ...overasked(outcome, question, upstreams)];
}

/** All questions at once; every complaint begins with the question that it is about. */
export async function askAll(
  startFront: StartFront,
  fault: Fault,
  company: Company,
  maxRetries = 0,
): Promise<string[]> {
  const asked = questions.map(async (question) => {
    const found = await askOne(startFront, fault, { ...question, maxRetries }, company);
    return found.map((complaint) => `${question.api} ${question.mode}: ${complaint}`);
  });
  return (await Promise.all(asked)).flat();
}
