// Our reader and writer of XML agree with libxml2.
import fc from 'fast-check';
import { XmlDocument } from 'libxml2-wasm';
import { expect, test } from 'vitest';
import { readXml, writeXml } from '../../../src/inspect/xml.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('<![CDATA[', ']]>', '&amp;', '\r\n\t', '"\'', '-->'),
);

test('what is written reads back, here and in libxml2, whatever the text; what XML has no place for is �', () => {
  fc.assert(
    fc.property(text, text, (value, inside) => {
      const element = { name: 'a', attributes: { b: value }, children: inside === '' ? [] : [inside] };
      const written = writeXml(element);
      const read = readXml(written, 'urn:none');
      const document = XmlDocument.fromString(written);
      const { root } = document;
      expect(read.attributes['b']).toBe(root.attr('b')?.value);
      expect(read.children.join('')).toBe(root.content);
      const plain = (it: string): string => it.replace(/[^\P{Cc}\t\n\r]|[\uFFFE\uFFFF]/gu, '\uFFFD');
      expect(read).toEqual({
        ...element,
        attributes: { b: plain(value) },
        children: inside === '' ? [] : [plain(inside)],
      });
      document.dispose();
    }),
    { numRuns: 500 },
  );
});

test('comments, instructions, character data, namespaces and entities are read as libxml2 reads them', () => {
  const source = `\uFEFF<?xml version='1.0'?><!-- <x> --><p:a xmlns:p="urn:p" q = 'one&#x26;&#10;two' >
    <?go now?><b xmlns="urn:p"/><![CDATA[<raw>&amp;]]>&lt;<c p:d="1>2"/></p:a>`;
  const { name, attributes, children } = readXml(source, 'urn:p');
  const document = XmlDocument.fromString(source);
  expect({ name, attributes }).toEqual({ name: document.root.name, attributes: { q: 'one&\ntwo' } });
  expect(attributes['q']).toBe(document.root.attr('q')?.value);
  expect(children.filter((it) => typeof it !== 'string').map((it) => it.name)).toEqual(['b', 'c']);
  expect(children.filter((it) => typeof it === 'string').join('')).toBe(document.root.content);
  document.dispose();
});
