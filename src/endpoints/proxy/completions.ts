// What is known of the APIs of language models: which requests ask for a completion, and which answers are whole ones.
// Invariant: it judges only what it recognizes; whatever else there is counts as right, and as complete.

/**
 * What a request must be answered with, if it is answered with success.
 * - `stream`: a completion, event by event. `completion`: one in JSON, or in events. `anything`: it asks for something else.
 */
export type Expected = 'stream' | 'completion' | 'anything';

/** Making one costs more than using it. */
const UTF8 = new TextDecoder();
/** Of OpenAI's API (chat, legacy, responses), of Anthropic's, and of the many that speak as they do. */
const COMPLETION_PATH = /\/(?:completions|v\d+\/messages|v\d+\/responses)(?:\?|$)/;

/** @param body what is known of the request's body: of a long one nothing is */
export function expectedOf(method: string, path: string, body: Uint8Array | undefined): Expected {
  if (method !== 'POST' || !COMPLETION_PATH.test(path)) return 'anything';
  const text = body === undefined ? '' : UTF8.decode(body);
  if (!text.includes('"stream"')) return 'completion';
  const { stream } = (parsed(text) ?? {}) as { stream?: unknown };
  return stream === true ? 'stream' : 'completion';
}

export const isEventStream = (contentType: string): boolean => /^text\/event-stream\b/i.test(contentType);
export const isJson = (contentType: string): boolean =>
  /^application\/(?:[\w.-]+\+)?json\b/i.test(contentType);

/**
 * Whether a successful answer can be what was asked for. A page for people, in place of a stream, looks to the clients of
 * language models like a stream that says nothing and ends well.
 */
export function canBeAnswer(expected: Expected, contentType: string): boolean {
  if (expected === 'anything' || isEventStream(contentType)) return true;
  return expected === 'completion' && isJson(contentType);
}

export function isWholeJson(pieces: readonly Uint8Array[]): boolean {
  const [first, second] = pieces;
  if (first !== undefined && second === undefined) return parsed(UTF8.decode(first)) !== undefined;
  const decoder = new TextDecoder();
  let text = '';
  for (const piece of pieces) text += decoder.decode(piece, { stream: true });
  return parsed(text + decoder.decode()) !== undefined;
}

/** A chunk of a completion by OpenAI's likes, which says in one of the last why it is the last. */
const CHUNK = /"object"\s*:\s*"(?:chat\.completion\.chunk|text_completion)"/;
const FINISH_REASON = /"finish_reason"\s*:\s*"/;
/** Events of Anthropic's that others follow, and the one that none follows. */
const MESSAGE_EVENT = /^(?:message_start|message_delta|content_block_(?:start|delta|stop))$/;
/** Events of OpenAI's responses, and those that none follows. */
const RESPONSE_EVENT = /^response\.(?!completed$|failed$|incomplete$|cancelled$)/;

/**
 * Whether these are the last events of a stream that ended where it should. Many servers end the connection properly when the model
 * behind them is gone; their clients then take what they have for all. Some never say `[DONE]`: a reason to finish will do.
 */
export function isCompleteStream(tail: string): boolean {
  const blocks = tail.replaceAll(/\r\n?/g, '\n').split('\n\n');
  for (const block of blocks.toReversed()) {
    const name = /^event: ?(.*)$/m.exec(block)?.[1];
    if (name === 'ping' || !/^data:/m.test(block)) continue;
    if (name !== undefined) return !MESSAGE_EVENT.test(name) && !RESPONSE_EVENT.test(name);
    return !CHUNK.test(block) || FINISH_REASON.test(tail);
  }
  return true;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
