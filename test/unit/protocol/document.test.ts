// PROTOCOL.md against the codec: every example is read and written again, every number is the constant's.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../src/protocol/digest.ts';
import { callValueStart, CloseCode, Fate, FrameType, isValueFrame } from '../../../src/protocol/frames.ts';
import { limits, SUBPROTOCOL } from '../../../src/protocol/limits.ts';
import { readCredit, readFates, readIds, readQueries } from '../../../src/protocol/lists.ts';
import * as messages from '../../../src/protocol/messages.ts';
import { decodeValue } from '../../../src/protocol/values.ts';
import { frameBytes, framesOf, makeOutbox, type Frame } from './wire.ts';

const document = readFileSync(new URL('../../../src/protocol/PROTOCOL.md', import.meta.url), 'utf8');
const names = Object.keys(FrameType) as (keyof typeof FrameType)[];
const readers = new Map<string, unknown>(Object.entries(messages));
type Reader = (bytes: Uint8Array, start: number, end: number) => unknown;

function sectionOf(name: string): string {
  const type = FrameType[name as keyof typeof FrameType].toString(16).padStart(2, '0');
  const [, section] = document.split(`\n### 0x${type} ${name}\n`);
  if (section === undefined) throw new Error(`PROTOCOL.md has no section 0x${type} ${name}`);
  return section.split(/\n##+ /)[0]!;
}

function blocks(section: string, language: string): string[] {
  return [...section.matchAll(new RegExp(`\`\`\`${language}\\n([^\`]*)\`\`\``, 'g'))].map(
    ([, body]) => body!,
  );
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.trim().split(/\s+/), (byte) => {
    if (!/^[0-9a-f]{2}$/.test(byte)) throw new Error(`${byte} is no byte`);
    return Number.parseInt(byte, 16);
  });
}

function exampleOf(name: string): Frame {
  const [hex, ...others] = blocks(sectionOf(name), 'hex');
  expect(others).toEqual([]);
  const frames = framesOf(bytesOf(hex!));
  expect(frames).toHaveLength(1);
  return frames[0]!;
}

const read = (reader: Reader, name: string): unknown => {
  const { payload } = exampleOf(name);
  return reader(payload, 0, payload.length);
};

describe('PROTOCOL.md', () => {
  it.each(names)(
    'shows a %s whose bytes are a frame of that type, and that the codec writes the same',
    (name) => {
      const example = exampleOf(name);
      expect(example.type).toBe(FrameType[name]);
      const { wire, outbox } = makeOutbox();
      outbox.frame(example.type, example.flags, example.peer, example.id, example.payload);
      wire.settle();
      expect(wire.messages).toEqual([frameBytes(example)]);
    },
  );

  it.each(names.filter((name) => blocks(sectionOf(name), 'json').length > 0))(
    'shows the JSON of its %s, which a reader takes as it stands',
    (name) => {
      const [json, ...others] = blocks(sectionOf(name), 'json');
      expect(others).toEqual([]);
      const text = json!.trim();
      const { payload } = exampleOf(name);
      expect(Buffer.from(payload).toString()).toBe(text);
      const reader = readers.get(`read${name[0]}${name.slice(1).toLowerCase()}`);
      expect(read(reader as Reader, name)).toEqual(JSON.parse(text));
    },
  );

  it('has JSON for every control frame with a schema', () => {
    const withJson = names.filter((name) => blocks(sectionOf(name), 'json').length > 0);
    expect(withJson.map((name) => name.toLowerCase()).sort()).toEqual(Object.keys(messages.schemas).sort());
  });

  it('shows binary payloads that their readers take', () => {
    expect(read(readCredit, 'CREDIT')).toBe(limits.creditWindowBytes / 4);
    const ids: number[] = [];
    read((bytes, start, end) => readIds(bytes, start, end, (id) => ids.push(id)), 'ACK');
    expect(ids).toEqual([1, 2]);
    const queries: number[][] = [];
    read((bytes, start, end) => readQueries(bytes, start, end, (...query) => queries.push(query)), 'QUERY');
    expect(queries).toEqual([[1, 0, limits.creditWindowBytes]]);
    const fates: number[][] = [];
    read((bytes, start, end) => readFates(bytes, start, end, (...fate) => fates.push(fate)), 'FATE');
    expect(fates).toEqual([
      [1, Fate.DONE],
      [2, Fate.UNSTARTED],
    ]);
    expect(read(messages.readName, 'DEFINE')).toBe('add');
  });

  it('shows values that can be decoded', () => {
    const call = exampleOf('CALL');
    const { payload } = call;
    expect(decodeValue(payload, callValueStart(payload, 0, payload.length), payload.length, false)).toEqual([
      1, 2,
    ]);
    expect(read((bytes, start, end) => decodeValue(bytes, start, end, false), 'RESULT')).toBe(3);
    expect(read((bytes, start, end) => decodeValue(bytes, start, end, false), 'ITEM')).toBe('line 1');
    expect(read((bytes, start, end) => decodeValue(bytes, start, end, false), 'SYNC')).toEqual({ round: 17 });
    const [value] = blocks(document, 'hex value');
    const bytes = bytesOf(value!);
    expect(decodeValue(bytes, 0, bytes.length, false)).toStrictEqual([Uint16Array.from([1, 2]), undefined]);
  });

  it('shows the digest of the function that its REGISTER offers', () => {
    const { functions } = read(messages.readRegister, 'REGISTER') as messages.RegisterMessage;
    expect(read(messages.readCheck, 'CHECK')).toEqual({ functions: 1, digest: digestOf(functions) });
  });

  it('names every close code with its number, once', () => {
    const rows = [...document.matchAll(/^\| (\d{4}) \| ([A-Z_]+) \|/gm)].map(([, code, name]) => [
      name,
      Number(code),
    ]);
    expect(Object.fromEntries(rows)).toEqual(CloseCode);
    expect(rows).toHaveLength(Object.keys(CloseCode).length);
  });

  it('gives limits their true values', () => {
    const rows = [...document.matchAll(/^\| (max\w+|\w+Bytes) \| ([\d ]+) \|/gm)];
    expect(rows.length).toBeGreaterThan(10);
    for (const [, name, value] of rows) {
      expect([name, Number(value!.replaceAll(' ', ''))]).toEqual([name, limits[name as keyof typeof limits]]);
    }
  });

  it('says which frames go in chunks, by their flag MORE', () => {
    const withMore = names.filter((name) => /flags: [^\n]*MORE/.test(sectionOf(name)));
    // RESUME uses it too: for lists, not for values.
    expect(withMore).toEqual([...names.filter((name) => isValueFrame(FrameType[name])), 'RESUME']);
  });

  it('carries the name of the subprotocol', () => {
    expect(document.startsWith(`# The wire protocol \`${SUBPROTOCOL}\``)).toBe(true);
  });
});
