// The W3C's XML Schema of SCXML 1.0, and libxml2 to hold documents against it.
// Invariant: the schema's files are those of the W3C, unchanged; their notice is in scxml-copyright.xsd beside them.
import { readdirSync, readFileSync } from 'node:fs';
import { XmlBufferInputProvider, XmlDocument, XsdValidator, xmlRegisterInputProvider } from 'libxml2-wasm';

const folder = new URL('./scxml-schema/', import.meta.url);
const BASE = 'http://www.w3.org/2011/04/SCXML/';

// The schema imports the attributes of XML itself and uses none of them.
const files: Record<string, Uint8Array> = {
  'http://www.w3.org/2001/xml.xsd': new TextEncoder().encode(
    '<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace="http://www.w3.org/XML/1998/namespace"/>',
  ),
};
for (const file of readdirSync(folder)) files[`${BASE}${file}`] = readFileSync(new URL(file, folder));
xmlRegisterInputProvider(new XmlBufferInputProvider(files));

const schema = XmlDocument.fromBuffer(files[`${BASE}scxml.xsd`] as Uint8Array, { url: `${BASE}scxml.xsd` });
const validator = XsdValidator.fromDoc(schema);

/** @throws where the text is no XML, or no SCXML by the schema */
export function validate(text: string): void {
  const document = XmlDocument.fromString(text);
  try {
    validator.validate(document);
  } finally {
    document.dispose();
  }
}
