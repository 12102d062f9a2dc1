// A client that sends bytes as they are, right or wrong, and reads whatever comes.
// Invariant: it parses answers strictly, so an answer that is not whole is never taken for one.
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** It reads, unless it is paused: what nobody reads would keep it from closing. */
export function dial(url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  // What a test asserts is what was read until then.
  socket.on('error', () => undefined);
  return socket.resume();
}

/** Everything that comes until the other side closes. It may have closed before all was sent. */
export async function say(url: string, bytes: string | Buffer): Promise<string> {
  const socket = dial(url);
  const read: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => read.push(chunk));
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(read).toString('latin1');
}

function chunks(text: string): { body: string; rest: string } {
  const parts: string[] = [];
  for (let at = 0; ;) {
    const end = text.indexOf('\r\n', at);
    const digits = text.slice(at, end);
    if (end < 0 || !/^[0-9a-f]+$/i.test(digits)) throw new Error(`no chunk: ${JSON.stringify(digits)}`);
    const size = Number.parseInt(digits, 16);
    at = end + 2 + size;
    if (text.slice(at, at + 2) !== '\r\n') throw new Error(`a chunk of ${size} bytes has another length`);
    parts.push(text.slice(end + 2, at));
    at += 2;
    if (size === 0) return { body: parts.join(''), rest: text.slice(at) };
  }
}

/** All answers of a connection that was closed, one after the other. @throws Error when there is anything else */
export function answersIn(text: string): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const [first = '', ...lines] = rest.slice(0, Math.max(0, end)).split('\r\n');
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1];
    if (status === undefined) throw new Error(`no answer: ${JSON.stringify(rest.slice(0, 200))}`);
    const headers = new Map(
      lines.map((line) => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]),
    );
    rest = rest.slice(end + 4);
    if (status.startsWith('1')) continue;
    let body = '';
    if (headers.get('transfer-encoding') === 'chunked') ({ body, rest } = chunks(rest));
    else {
      const length = Number(headers.get('content-length') ?? rest.length);
      if (rest.length < length) throw new Error(`${rest.length} bytes came of ${length}`);
      body = rest.slice(0, length);
      rest = rest.slice(length);
    }
    answers.push({ status: Number(status), headers, body });
  }
  return answers;
}
