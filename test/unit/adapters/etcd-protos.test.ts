import { describe, expect, it } from 'vitest';

import { loadEtcdProtos } from '../../../src/adapters/etcd-protos.ts';

const { methods, message } = loadEtcdProtos();

describe("etcd's messages and methods", () => {
  it('have the paths and the directions of streaming that clients expect', () => {
    expect(methods.get('/etcdserverpb.KV/Put')).toMatchObject({
      requestStream: false,
      responseStream: false,
    });
    expect(methods.get('/etcdserverpb.Watch/Watch')).toMatchObject({
      requestStream: true,
      responseStream: true,
    });
    expect(methods.get('/etcdserverpb.Maintenance/Snapshot')).toMatchObject({ responseStream: true });
    for (const name of ['HashKV', 'Hash', 'MoveLeader', 'Downgrade']) {
      expect(methods.has(`/etcdserverpb.Maintenance/${name}`)).toBe(true);
    }
  });

  it('keep every bit of an id', () => {
    const put = message('etcdserverpb.PutRequest');
    for (const lease of ['-9223372036854775808', '9223372036854775807', '-1', '1152921504606846977']) {
      const read = put.decode(put.encode({ key: new Uint8Array([1]), lease })) as { lease: object };
      expect(String(read.lease)).toBe(lease);
    }
  });

  it('read what is absent as its default', () => {
    const put = message('etcdserverpb.PutRequest');
    expect(put.decode(new Uint8Array())).toMatchObject({ prev_kv: false, ignore_value: false });
    expect(String((put.decode(new Uint8Array()) as { lease: object }).lease)).toBe('0');
  });

  it('refuse bytes that are no message', () => {
    expect(() => message('etcdserverpb.PutRequest').decode(new Uint8Array([0x0a, 0x7f, 1]))).toThrow(
      /index out of range/,
    );
  });
});
