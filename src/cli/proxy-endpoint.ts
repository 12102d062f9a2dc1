// `--endpoint URL[,key=ENV,weight=N,priority=N,id=NAME]`, as the file of `--config` would say it.
// Invariant: no text that is refused is repeated: it may hold a key that does not belong there.
import { HoldfastError } from '../index.ts';
import { nearest } from './nearest.ts';

/** Name in the flag; name in the file, and what it is there. */
const PARTS: Readonly<Record<string, readonly [field: string, kind: 'text' | 'number']>> = {
  id: ['id', 'text'],
  key: ['keyEnv', 'text'],
  keyFile: ['keyFile', 'text'],
  keyHeader: ['keyHeader', 'text'],
  weight: ['weight', 'number'],
  priority: ['priority', 'number'],
};
const NAMES = Object.keys(PARTS);

/** Adds a text to those given before it. They are parsed later: commander's errors repeat what they refuse. */
export function collectText(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** @throws HoldfastError `invalid_option` */
export function parseEndpoint(text: string, index: number): Readonly<Record<string, unknown>> {
  const refuse = (problem: string): HoldfastError =>
    new HoldfastError(`--endpoint ${index + 1}: ${problem}`, { code: 'invalid_option' });
  const [url = '', ...parts] = text.split(/,(?=[\w-]*=)/);
  const endpoint: Record<string, unknown> = { url: url.trim() };
  for (const part of parts) {
    const at = part.indexOf('=');
    const name = part.slice(0, at).trim();
    const value = part.slice(at + 1).trim();
    const known = Object.hasOwn(PARTS, name) ? PARTS[name] : undefined;
    if (known === undefined) {
      const meant = nearest(name, NAMES);
      const remedy = meant === undefined ? `known are ${NAMES.join(', ')}` : `did you mean ${meant}?`;
      throw refuse(`an endpoint has no ${name}; ${remedy}`);
    }
    const [field, kind] = known;
    if (Object.hasOwn(endpoint, field)) throw refuse(`it says ${name} twice; leave one out`);
    if (value === '') throw refuse(`its ${name} is empty; write ${name}=…, or leave it out`);
    // What is no number is told with the rest of what is wrong.
    const number = Number(value);
    endpoint[field] = kind === 'number' && Number.isFinite(number) ? number : value;
  }
  return endpoint;
}
