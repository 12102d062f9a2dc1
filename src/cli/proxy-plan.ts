// From what was written (a file, or flags) to the options of a proxy, keys included.
// Invariant: a key is read from the environment or from a file, goes to the proxy, and nowhere else.
import { dirname, resolve } from 'node:path';
import type { Log, ProxyEndpoint, ProxyOptions, ProxySettings } from '../index.ts';
import { checkConfig, readConfig, refused } from './config-file.ts';
import { StampedFiles, type FileStamps } from './file-changes.ts';
import { given } from './flags.ts';
import { misplaced, proxyConfig, type EndpointConfig, type ProxyConfig } from './proxy-config.ts';

/** What a proxy may be told while it runs, and what it is made with. */
export interface ProxyPlan {
  readonly settings: ProxySettings;
  readonly fixed: Omit<ProxyOptions, keyof ProxySettings>;
  /** That it was read from: another content makes another plan. */
  readonly files: FileStamps;
}

/** @throws HoldfastError `invalid_option` with each mistake */
export function planOfFile(file: string): ProxyPlan {
  const files = new StampedFiles();
  const config = readConfig(file, files, proxyConfig, misplaced);
  return planOf(config, { source: file, folder: dirname(file), files });
}

/** @throws HoldfastError `invalid_option` with each mistake */
export function planOfFlags(written: object): ProxyPlan {
  const source = 'the flags';
  const config = checkConfig(source, written, proxyConfig, misplaced);
  return planOf(config, { source, folder: '.', files: new StampedFiles() });
}

/** Where it was written: what mistakes are said to be in, and what names of files are relative to. */
interface Origin {
  readonly source: string;
  readonly folder: string;
  readonly files: StampedFiles;
}

function planOf(config: ProxyConfig, origin: Origin): ProxyPlan {
  const { endpoints: written, timeouts, affinity, repeat, hedgeAfterMs, limits, ...rest } = config;
  const endpoints = withKeys(written, origin);
  // All of them, since a proxy keeps what an update leaves out.
  const settings = { endpoints, timeouts: timeouts && given(timeouts), affinity, repeat, hedgeAfterMs };
  const fixed = given({ ...rest, limits: limits && given(limits) });
  return { settings, fixed, files: origin.files.stamps };
}

function withKeys(
  written: readonly EndpointConfig[],
  { source, folder, files }: Origin,
): readonly ProxyEndpoint[] {
  const mistakes: string[] = [];
  const ids = new Set<string>();
  const endpoints = written.map((endpoint, index): ProxyEndpoint => {
    const { keyEnv, keyFile, id = new URL(endpoint.url).host, ...rest } = endpoint;
    const place = `endpoints[${index}]`;
    if (ids.has(id)) mistakes.push(`${place} has the id of another one, ${id}; give it an "id" of its own`);
    ids.add(id);
    try {
      if (keyEnv !== undefined && keyFile !== undefined)
        throw new Problem(' has both "keyEnv" and "keyFile"; leave one out');
      if (keyEnv !== undefined) return { ...rest, id, key: keyOfEnvironment(keyEnv) };
      if (keyFile === undefined) return { ...rest, id };
      return { ...rest, id, key: keyOfFile(resolve(folder, keyFile), files) };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      mistakes.push(`${place}${error.message}`);
      return { ...rest, id };
    }
  });
  if (mistakes.length > 0) throw refused(source, mistakes);
  return endpoints;
}

/** With a key, and what is wrong with it. */
class Problem extends Error {}

function keyOfEnvironment(name: string): string {
  const key = process.env[name];
  // Somebody may have written the key itself: only what looks like the name of a variable is repeated.
  const shown = /^[A-Z][A-Z0-9_]{0,60}$/.test(name) ? ` ${name}` : ' (not shown: it may be the key itself)';
  if (key === undefined)
    throw new Problem(`.keyEnv names a variable${shown} that is not set; set it, or use "keyFile"`);
  return checkKey(key, `.keyEnv names a variable${shown} that`);
}

function keyOfFile(file: string, files: StampedFiles): string {
  let text: string;
  try {
    text = files.read(file);
  } catch (error) {
    throw new Problem(`.keyFile cannot be read: ${(error as Error).message}`);
  }
  return checkKey(text, `.keyFile names ${file}, which`);
}

function checkKey(text: string, what: string): string {
  const key = text.trim();
  if (key === '') throw new Problem(`${what} is empty; put the key there`);
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new Problem(`${what} is no key: it has blanks, lines or letters beyond ASCII`);
  return key;
}

const LOOPBACK = /^(localhost|127\.[\d.]+|\[?::1\]?)$/;

/** Says where keys could be read on the way. */
export function warnOfPlainKeys({ endpoints }: Pick<ProxySettings, 'endpoints'>, log: Log): void {
  for (const { id, url, key } of endpoints) {
    const { protocol, hostname } = new URL(url);
    if (key === undefined || protocol !== 'http:' || LOOPBACK.test(hostname)) continue;
    log.warn(
      { endpoint: id },
      `the key of ${id} travels to ${hostname} unencrypted; use https:// if you can`,
    );
  }
}

/** Names of what differs and is not taken over by a running proxy. */
export function fixedChanges(before: ProxyPlan, after: ProxyPlan): string[] {
  return differences(fixedOf(before), fixedOf(after));
}

/** Of the time-outs, those of the listener are its own from the beginning. */
function fixedOf({ fixed, settings: { timeouts } }: ProxyPlan): object {
  const { headersMs, keepAliveMs } = timeouts ?? {};
  return { ...fixed, 'timeouts.headersMs': headersMs, 'timeouts.keepAliveMs': keepAliveMs };
}

/** What a new plan brings, in words: `added c`, `removed b, d`, `changed a (weight, key)`, `changed timeouts`. */
export function describeChanges(before: ProxySettings, after: ProxySettings): string[] {
  const { endpoints: were, ...settings } = before;
  const { endpoints: are, ...others } = after;
  const old = new Map(were.map((endpoint) => [endpoint.id, endpoint]));
  const now = new Set(are.map(({ id }) => id));
  const changed = are.flatMap((endpoint) => {
    const fields = differences(old.get(endpoint.id) ?? endpoint, endpoint);
    return fields.length === 0 ? [] : [`${endpoint.id} (${fields.join(', ')})`];
  });
  return [
    ...listed(
      'added',
      [...now].filter((id) => !old.has(id)),
    ),
    ...listed(
      'removed',
      [...old.keys()].filter((id) => !now.has(id)),
    ),
    ...listed('changed', changed),
    ...listed('changed', differences(settings, others)),
  ];
}

const MOST_NAMES = 8;

function listed(verb: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
  return [`${verb} ${names.slice(0, MOST_NAMES).join(', ')}${more}`];
}

function differences(one: object, other: object): string[] {
  const [mine, theirs] = [one, other] as Readonly<Record<string, unknown>>[];
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].filter((name) => JSON.stringify(mine?.[name]) !== JSON.stringify(theirs?.[name]));
}
