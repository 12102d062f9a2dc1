// The official clients of OpenAI and Anthropic, asked one question each, and what came of it.
// Invariant: what is told is what a user of the client sees who checks nothing beyond errors.
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { nonceOf, type Api, type Upstream } from './upstreams.ts';
import type { Seen } from './faults.ts';

export interface Question {
  readonly api: Api;
  readonly mode: 'stream' | 'json';
  /** @default 0 */
  readonly maxRetries?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Called when the first piece of text has come. */
  onText?(): void;
}

/** Whoever asks gets a text, and perhaps an error in its place or after a part of it. */
export interface Outcome {
  readonly text: string;
  readonly error?: Error | undefined;
}

export const questions: readonly Question[] = (['openai', 'anthropic'] as const).flatMap((api) =>
  (['stream', 'json'] as const).map((mode) => ({ api, mode })),
);

type Piece = (text: string) => void;

async function askOpenAI(url: string, question: Question, piece: Piece): Promise<void> {
  const { mode, signal, maxRetries = 0, headers } = question;
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'client-key', maxRetries, logLevel: 'off' });
  const body = { model: 'm', messages: [{ role: 'user' as const, content: 'well?' }] };
  const options = { ...(signal && { signal }), ...(headers && { headers }) };
  if (mode === 'json') {
    const answer = await client.chat.completions.create(body, options);
    return piece(answer.choices[0]!.message.content ?? '');
  }
  for await (const chunk of await client.chat.completions.create({ ...body, stream: true }, options))
    piece(chunk.choices[0]?.delta.content ?? '');
}

async function askAnthropic(url: string, question: Question, piece: Piece): Promise<void> {
  const { mode, signal, maxRetries = 0, headers } = question;
  const client = new Anthropic({ baseURL: url, apiKey: 'client-key', maxRetries, logLevel: 'off' });
  const body = { model: 'm', max_tokens: 100, messages: [{ role: 'user' as const, content: 'well?' }] };
  const options = { ...(signal && { signal }), ...(headers && { headers }) };
  if (mode === 'json') {
    const [block] = (await client.messages.create(body, options)).content;
    return piece(block?.type === 'text' ? block.text : '');
  }
  for await (const event of await client.messages.create({ ...body, stream: true }, options))
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') piece(event.delta.text);
}

export async function ask(url: string, question: Question): Promise<Outcome> {
  let text = '';
  const piece: Piece = (more) => {
    text += more;
    if (more !== '') question.onText?.();
  };
  try {
    await (question.api === 'openai' ? askOpenAI : askAnthropic)(url, question, piece);
    return { text };
  } catch (error) {
    return { text, error: error as Error };
  }
}

/** An error of the client's own, which says something: not a crash within it. */
function isClear(error: Error): boolean {
  const known = error instanceof OpenAI.APIError || error instanceof Anthropic.APIError;
  return known && error.message !== '' && !/undefined|\[object/.test(error.message);
}

/**
 * What is wrong with what a client saw, in words; empty when nothing is. With `seen` undefined any clear error will do, and the
 * right answer.
 */
export function complaints({ text, error }: Outcome, seen: Seen, upstreams: readonly Upstream[]): string[] {
  const found: string[] = [];
  const tags = new Set(text.match(/\bup\S*\.\d+-\d+/g));
  if (tags.size > 1) found.push(`parts of ${tags.size} answers: ${text}`);
  if (error === undefined) {
    const nonce = nonceOf(text);
    if (nonce === undefined) found.push(`a truncated success: ${JSON.stringify(text)}`);
    else if (!upstreams.some(({ requests }) => requests.some((one) => one.nonce === nonce)))
      found.push(`an answer that nobody gave: ${nonce}`);
    if (seen === 'error') found.push('no error, though a part had been passed on');
  } else {
    if (seen === 'answer') found.push(`an error instead of the answer: ${error.name}: ${error.message}`);
    if (!isClear(error)) found.push(`an error that is not clear: ${error.name}: ${error.message}`);
  }
  return found;
}
