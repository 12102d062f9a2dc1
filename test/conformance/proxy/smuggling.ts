// Requests of which two readers may disagree where they end, each with a second request hidden in it.
// Invariant: whoever reads a hidden request as one sees its target, `/smuggled`.

export interface Shape {
  readonly bytes: string;
  /**
   * - `refused`: no reader may accept it.
   * - `either`: it may be refused, or be read in the one way that the standard allows; `body` is the body then.
   * - `passes`: it looks dangerous, and is well formed.
   */
  readonly expected: 'refused' | 'either' | 'passes';
  readonly body?: string;
}

export const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: evil.example\r\n\r\n';

const post = (headers: string, rest: string): string =>
  `POST /v1/first HTTP/1.1\r\nHost: proxy.example\r\n${headers}\r\n${rest}`;
const get = (headers: string, rest = ''): string =>
  `GET /v1/first HTTP/1.1\r\nHost: proxy.example\r\n${headers}\r\n${rest}`;
const refused = (bytes: string): Shape => ({ bytes, expected: 'refused' });
const either = (bytes: string, body = ''): Shape => ({ bytes, body, expected: 'either' });
const passes = (bytes: string, body = ''): Shape => ({ bytes, body, expected: 'passes' });
const sized = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
/** Read as chunked it ends at once, and the hidden request is the next; read by its length it is all one body. */
const EMPTY = `0\r\n\r\n${SMUGGLED}`;
const LENGTH = `Content-Length: ${EMPTY.length}\r\n`;
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const encoding = (line: string): Shape => refused(post(`${LENGTH}${line}`, EMPTY));
const length = (value: string): Shape => refused(post(`Content-Length: ${value}\r\n`, `hello${SMUGGLED}`));
const chunked = (body: string): Shape => refused(post(CHUNKED, `${body}${SMUGGLED}`));

export const shapes: Readonly<Record<string, Shape>> = {
  'a length, and chunks': encoding(CHUNKED),
  'chunks, and a length': refused(post(`${CHUNKED}${LENGTH}`, EMPTY)),
  'a length of 0, and chunks': refused(post(`Content-Length: 0\r\n${CHUNKED}`, sized(SMUGGLED) + EMPTY)),
  'chunks in a request of HTTP/1.0': refused(
    post(`${LENGTH}${CHUNKED}`, EMPTY).replace('HTTP/1.1', 'HTTP/1.0'),
  ),

  'two lengths': refused(post('Content-Length: 0\r\nContent-Length: 5\r\n', `hello${SMUGGLED}`)),
  'two lengths that agree': either(post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'), 'hello'),
  'two lengths in a line': length('0, 5'),
  'a length with a sign': length('+5'),
  'a length below nothing': length('-5'),
  'a hexadecimal length': length('0x5'),
  'a length with a space in it': length('0 5'),
  'a length with a fraction': length('5.0'),
  'a length of more digits than a number has': length('18446744073709551621'),
  'an empty length': refused(post('Content-Length:\r\n', SMUGGLED)),
  'a length that goes on in the next line': length('5\r\n 0'),
  'a space before the colon of the length': refused(post('Content-Length : 5\r\n', `hello${SMUGGLED}`)),

  'an encoding that almost is chunked': encoding('Transfer-Encoding: xchunked\r\n'),
  'an encoding of another name': encoding('Transfer-Encoding: identity\r\n'),
  'chunked, and then another': encoding('Transfer-Encoding: chunked, identity\r\n'),
  'chunked twice in a line': encoding('Transfer-Encoding: chunked, chunked\r\n'),
  'chunked in two lines, one wrong': encoding(`${CHUNKED}Transfer-Encoding: x\r\n`),
  'chunked after a vertical tab': encoding('Transfer-Encoding: \u000Bchunked\r\n'),
  'chunked before a vertical tab': encoding('Transfer-Encoding: chunked\u000B\r\n'),
  'chunked in quotes': encoding('Transfer-Encoding: "chunked"\r\n'),
  'chunked with a parameter': encoding('Transfer-Encoding: chunked;q=1\r\n'),
  'chunked in the next line': encoding('Transfer-Encoding:\r\n chunked\r\n'),
  'a space before the colon of the encoding': encoding('Transfer-Encoding : chunked\r\n'),
  'a tab before the colon of the encoding': encoding('Transfer-Encoding\t: chunked\r\n'),
  'a space before the encoding': encoding(' Transfer-Encoding: chunked\r\n'),
  'an encoding after a bare line feed': encoding('X: y\nTransfer-Encoding: chunked\r\n'),
  'an encoding after a bare carriage return': encoding('X: y\rTransfer-Encoding: chunked\r\n'),
  'an encoding with a zero byte': encoding('Transfer-Encoding: chunked\0\r\n'),
  'an encoding with an underscore': {
    ...passes(post('Content-Length: 5\r\nTransfer_Encoding: chunked\r\n', 'hello'), 'hello'),
  },
  'chunked in capitals': either(
    post('TRANSFER-ENCODING: CHUNKED\r\n', `${sized('hello')}0\r\n\r\n`),
    'hello',
  ),

  'lines that end in line feeds': refused(post(LENGTH, EMPTY).replaceAll('\r\n', '\n')),
  'a head that ends in line feeds': refused(get('X: y\n\n', SMUGGLED)),
  'a header without a colon': refused(get('nonsense\r\n', SMUGGLED)),
  'a header without a name': refused(get(': value\r\n', SMUGGLED)),
  'a header that goes on in the next line': either(get('X: y\r\n z\r\n')),
  'a header with a space in its name': refused(get('X Y: z\r\n', SMUGGLED)),
  'a header with a zero byte': refused(get('X: y\0z\r\n', SMUGGLED)),
  'a header with a bare carriage return': refused(get(`X: y\rGET /smuggled HTTP/1.1\r\n`)),

  'a chunk with a hexadecimal sign': chunked('0x5\r\nhello\r\n0\r\n\r\n'),
  'a chunk of less than nothing': chunked('-1\r\nhello\r\n0\r\n\r\n'),
  'a chunk of more digits than a number has': chunked('10000000000000005\r\nhello\r\n0\r\n\r\n'),
  'a chunk of no size': chunked('\r\nhello\r\n0\r\n\r\n'),
  'a chunk that is longer than it says': chunked('3\r\nhello\r\n0\r\n\r\n'),
  'a chunk size before a bare line feed': chunked('5\nhello\r\n0\r\n\r\n'),
  'a chunk that ends in a bare line feed': chunked('5\r\nhello\n0\r\n\r\n'),
  'a chunk extension with a bare line feed': chunked(`5;x\nhello\r\n0\r\n\r\n`),
  'a chunk extension with a bare carriage return': chunked(`5;x\ry\r\nhello\r\n0\r\n\r\n`),
  'a chunk extension of 64 KiB': chunked(`5;${'x'.repeat(65_536)}\r\nhello\r\n0\r\n\r\n`),
  'a chunk extension for each byte': either(
    post(CHUNKED, `${'1;a=b\r\nx\r\n'.repeat(100)}0\r\n\r\n`),
    'x'.repeat(100),
  ),
  'trailers that say where it ends': either(
    post(CHUNKED, `${sized('hello')}0\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n`),
    'hello',
  ),

  'a line with two spaces': either(get('').replace(' /v1', '  /v1')),
  'a line with two versions': refused(get('').replace('HTTP/1.1', 'HTTP/1.1 HTTP/1.1')),
  'a line with a tab': refused(get('').replace(' /v1', '\t/v1')),
  'a line without a version': refused('GET /v1/first\r\n\r\n'),
  'a version that there is not': refused(get('').replace('HTTP/1.1', 'HTTP/1.2')),
  'the preface of HTTP/2': refused('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  'a method in small letters': refused(get('').replace('GET', 'get')),
  'a method with a colon': refused(get('').replace('GET', 'GET:')),
  'no host': refused('GET /v1/first HTTP/1.1\r\n\r\n'),
  'two hosts': refused(get('Host: other.example\r\n')),

  'a body that is a request': passes(post(`Content-Length: ${SMUGGLED.length}\r\n`, SMUGGLED), SMUGGLED),
  'a chunk that is a request': passes(post(CHUNKED, `${sized(SMUGGLED)}0\r\n\r\n`), SMUGGLED),
  'a request to read with a body that is a request': either(
    get(`Content-Length: ${SMUGGLED.length}\r\n`, SMUGGLED),
    SMUGGLED,
  ),
  'a connection option that names the length': either(
    post('Content-Length: 5\r\nConnection: content-length\r\n', 'hello'),
    'hello',
  ),
  'a connection option that names the encoding': either(
    post(`${CHUNKED}Connection: transfer-encoding\r\n`, `${sized('hello')}0\r\n\r\n`),
    'hello',
  ),
  'an upgrade to HTTP/2': either(
    get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n'),
  ),
  'an upgrade to WebSocket': either(get('Connection: Upgrade\r\nUpgrade: websocket\r\n')),
  'an upgrade with a body that is a request': either(
    post(`Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: ${SMUGGLED.length}\r\n`, SMUGGLED),
    SMUGGLED,
  ),
  'an expectation that there is not': either(
    post('Expect: miracles\r\nContent-Length: 5\r\n', 'hello'),
    'hello',
  ),
  'an expectation to go on': passes(post('Expect: 100-continue\r\nContent-Length: 5\r\n', 'hello'), 'hello'),
};
