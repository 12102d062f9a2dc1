// What the proxy knows of language models' APIs: what asks for a completion, and which streams end where they should.
import { describe, expect, it } from 'vitest';
import {
  canBeAnswer,
  expectedOf,
  isCompleteStream,
  isWholeJson,
} from '../../../../src/endpoints/proxy/completions.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('a request', () => {
  it.for([
    ['POST', '/v1/chat/completions', '{"stream":true}', 'stream'],
    ['POST', '/openai/deployments/m/chat/completions?api-version=1', '{ "stream" : true }', 'stream'],
    ['POST', '/v1/messages', '{"stream":false}', 'completion'],
    ['POST', '/v1/responses', '{}', 'completion'],
    ['POST', '/v1/completions', undefined, 'completion'],
    // Said by a user, or about something else.
    ['POST', '/v1/chat/completions', '{"messages":[{"content":"{\\"stream\\":true}"}]}', 'completion'],
    ['POST', '/v1/chat/completions', '{"metadata":{"stream":true}}', 'completion'],
    ['POST', '/v1/chat/completions', '{"stream":true', 'completion'],
    ['GET', '/v1/chat/completions', undefined, 'anything'],
    ['POST', '/messages', '{"stream":true}', 'anything'],
    ['POST', '/v1/messages/batches', '{"stream":true}', 'anything'],
    ['POST', '/v1/embeddings', '{"stream":true}', 'anything'],
  ] as const)('%s %s with %s asks for: %s', ([method, path, body, expected]) => {
    expect(expectedOf(method, path, body === undefined ? undefined : bytes(body))).toBe(expected);
  });
});

describe('an answer', () => {
  it.for([
    ['stream', 'text/event-stream; charset=utf-8', true],
    ['stream', 'application/json', false],
    ['completion', 'application/json; charset=utf-8', true],
    ['completion', 'application/vnd.api+json', true],
    ['completion', 'text/event-stream', true],
    ['completion', 'text/html', false],
    ['completion', '', false],
    ['anything', 'text/html', true],
  ] as const)('to a request for a %s of the type %s can be one: %s', ([expected, type, can]) => {
    expect(canBeAnswer(expected, type)).toBe(can);
  });

  it('in pieces is one JSON, or none', () => {
    const text = bytes('{"a":"ä"}');
    for (let at = 0; at <= text.length; at++)
      expect(isWholeJson([text.subarray(0, at), text.subarray(at)])).toBe(true);
    for (let at = 0; at < text.length; at++) expect(isWholeJson([text.subarray(0, at)])).toBe(false);
  });
});

describe('a stream', () => {
  const chunk = (content: string, reason: string | null) =>
    `data: ${JSON.stringify({ object: 'chat.completion.chunk', choices: [{ delta: { content }, finish_reason: reason }] })}\n\n`;
  const usage = 'data: {"object":"chat.completion.chunk","choices":[],"usage":{"total_tokens":3}}\n\n';
  const event = (name: string) => `event: ${name}\ndata: {"type":"${name}"}\n\n`;

  it.for([
    ['that says it is done', `${chunk('a', null)}data: [DONE]\n\n`],
    ['that says it is done, without the last line end', `${chunk('a', null)}data: [DONE]`],
    ['with a reason to finish', chunk('', 'stop')],
    ['with a reason to finish, and what it cost', chunk('', 'length') + usage],
    ['with an error last', `${chunk('a', null)}data: {"error":{"message":"m"}}\n\n`],
    ['of Anthropic with its last event', event('content_block_stop') + event('message_stop')],
    ['of Anthropic with its last event, and a ping', event('message_stop') + event('ping')],
    ['of Anthropic with an error last', event('content_block_delta') + event('error')],
    ['of responses that are complete', event('response.output_text.delta') + event('response.completed')],
    ['of responses that failed', event('response.created') + event('response.failed')],
    ['of something else', 'data: 1\n\ndata: 2\n\n'],
    ['with names of something else', event('tick')],
    ['of comments', ': hello\n\n'],
    ['with other line ends', chunk('', 'stop').replaceAll('\n', '\r\n')],
  ])('%s is complete', ([, tail]) => expect(isCompleteStream(tail!)).toBe(true));

  it.for([
    ['without a reason to finish', chunk('a', null) + chunk('b', null)],
    ['in which somebody speaks of a reason to finish', chunk('"finish_reason":"stop"', null)],
    ['that ends with comments', `${chunk('a', null)}: still here\n\n`],
    ['of Anthropic without its last event', event('content_block_delta')],
    ['of Anthropic that ends with a ping', event('message_start') + event('ping')],
    ['of Anthropic that says why it stops, and does not', event('message_delta')],
    ['of responses that go on', event('response.output_text.delta')],
    ['with other line ends, and without a reason', chunk('a', null).replaceAll('\n', '\r\n')],
  ])('%s is cut off', ([, tail]) => expect(isCompleteStream(tail!)).toBe(false));
});
