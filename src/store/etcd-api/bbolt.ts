// Writes a database file of bbolt (https://github.com/etcd-io/bbolt), the format of etcd's snapshots, in one go.
// Invariant: every page below the high-water mark is reachable or listed as free, and rows lie in the order of their keys;
// bbolt's own check says so.
//
// A file is pages: two meta pages, the list of free ones (empty here), then trees. A bucket is a tree of its own; the root
// tree maps names to the pages where the buckets' trees begin. Numbers are little endian, as on every machine that runs etcd.
import type { Row } from './history.ts';

export interface Bucket {
  readonly name: string;
  /** In the order of their keys' bytes. */
  readonly rows: Iterable<Row>;
}

const PAGE_BYTES = 4_096;
const PAGE_HEADER_BYTES = 16;
const ELEMENT_BYTES = 16;
const MAX_ELEMENTS = 0xffff;
const MAGIC = 0xed0cdaed;
const VERSION = 2;
const IS_BRANCH = 1;
const IS_LEAF = 2;
const IS_META = 4;
const IS_FREELIST = 16;
/** A row of the root tree that leads to a bucket. */
const LEADS_TO_BUCKET = 1;
const FREELIST_PAGE = 2;
const FIRST_PAGE = 3;

/** The pages of the file, in their order; the length of each is a multiple of the page size. */
export function bboltFile(buckets: readonly Bucket[]): Uint8Array[] {
  const tree = new TreeWriter();
  const roots = [...buckets]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, rows }) => ({
      key: new TextEncoder().encode(name),
      value: bucketValue(tree.write(rows, 0)),
    }));
  const root = tree.write(roots, LEADS_TO_BUCKET);
  const freelist = page(FREELIST_PAGE, IS_FREELIST, 0, PAGE_BYTES);
  return [metaPage(0, root, tree.nextPage), metaPage(1, root, tree.nextPage), freelist, ...tree.pages];
}

/** Where a bucket's tree begins, and its sequence, which etcd does not use. */
function bucketValue(rootPage: number): Uint8Array {
  const value = new Uint8Array(16);
  writeUint64(new DataView(value.buffer), 0, rootPage);
  return value;
}

/** What a page of one level holds: leaves rows, branches the first key and the number of each page below. */
interface Element {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly page: number;
}

class TreeWriter {
  readonly pages: Uint8Array[] = [];
  nextPage = FIRST_PAGE;

  /** Answers with the page where the tree begins. */
  write(rows: Iterable<Row>, flags: number): number {
    let level = this.#level(elements(rows), IS_LEAF, flags);
    while (level.length > 1) level = this.#level(level, IS_BRANCH, 0);
    return level[0]?.page ?? 0;
  }

  #level(from: Iterable<Element>, type: number, flags: number): Element[] {
    const level: Element[] = [];
    let together: Element[] = [];
    let bytes = PAGE_HEADER_BYTES;
    const finish = (): void => {
      level.push(this.#page(together, bytes, type, flags));
      together = [];
      bytes = PAGE_HEADER_BYTES;
    };
    for (const element of from) {
      const size = ELEMENT_BYTES + element.key.length + element.value.length;
      // A branch needs two pages below it, however long their keys are.
      const fewest = type === IS_BRANCH ? 2 : 1;
      if (together.length >= fewest && (bytes + size > PAGE_BYTES || together.length === MAX_ELEMENTS))
        finish();
      together.push(element);
      bytes += size;
    }
    // An empty bucket is one empty leaf.
    if (together.length > 0 || level.length === 0) finish();
    return level;
  }

  #page(together: readonly Element[], bytes: number, type: number, flags: number): Element {
    const id = this.nextPage;
    const length = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
    this.nextPage += length / PAGE_BYTES;
    const content = page(id, type, together.length, length);
    const view = new DataView(content.buffer);
    let element = PAGE_HEADER_BYTES;
    let data = PAGE_HEADER_BYTES + together.length * ELEMENT_BYTES;
    for (const { key, value, page: below } of together) {
      if (type === IS_LEAF) {
        view.setUint32(element, flags, true);
        view.setUint32(element + 4, data - element, true);
        view.setUint32(element + 8, key.length, true);
        view.setUint32(element + 12, value.length, true);
      } else {
        view.setUint32(element, data - element, true);
        view.setUint32(element + 4, key.length, true);
        writeUint64(view, element + 8, below);
      }
      content.set(key, data);
      content.set(value, data + key.length);
      data += key.length + value.length;
      element += ELEMENT_BYTES;
    }
    this.pages.push(content);
    return { key: together[0]?.key ?? new Uint8Array(0), value: new Uint8Array(0), page: id };
  }
}

function* elements(rows: Iterable<Row>): Iterable<Element> {
  for (const { key, value } of rows) yield { key, value, page: 0 };
}

function page(id: number, type: number, count: number, length: number): Uint8Array {
  const content = new Uint8Array(length);
  const view = new DataView(content.buffer);
  writeUint64(view, 0, id);
  view.setUint16(8, type, true);
  view.setUint16(10, count, true);
  view.setUint32(12, length / PAGE_BYTES - 1, true);
  return content;
}

/** Both meta pages say the same; the newer transaction counts. */
function metaPage(id: 0 | 1, root: number, pages: number): Uint8Array {
  const content = page(id, IS_META, 0, PAGE_BYTES);
  const view = new DataView(content.buffer);
  let at = PAGE_HEADER_BYTES;
  for (const number of [MAGIC, VERSION, PAGE_BYTES, 0]) {
    view.setUint32(at, number, true);
    at += 4;
  }
  const sequence = 0;
  const transaction = id;
  for (const number of [root, sequence, FREELIST_PAGE, pages, transaction]) {
    writeUint64(view, at, number);
    at += 8;
  }
  view.setBigUint64(at, fnv1a(content.subarray(PAGE_HEADER_BYTES, at)), true);
  return content;
}

function fnv1a(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

function writeUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
