import { describe, expect, it } from 'vitest';
import { foldLimits, type Fold } from '../../../visualizer/stream/fold.ts';
import { messagesOf } from '../../../visualizer/stream/messages-of.ts';
import { actorKey, transitionKey } from '../../../visualizer/stream/model.ts';
import { stateLabel } from '../../../visualizer/stream/state-label.ts';
import { folded, hello, node, present, step } from './told.ts';

const key = actorKey('node/n1/1', 'connection');
const begun = [hello(), node('n1'), present('n1', 10, ['connection', 'connected', 5])];
const labels = (fold: Fold) => fold.actors.get(key)!.trail.map(({ label }) => label);

describe('folding a stream', () => {
  it('knows an actor from a `present`, moves it by steps, and counts how many are in each state', () => {
    const fold = folded([
      ...begun,
      step('n1', 'connection', { seq: 6, at: 20, from: 'connected', to: 'backoff' }),
    ]);
    expect(fold.actors.get(key)).toMatchObject({ seq: 6, since: 20, path: 'backoff', status: 'active' });
    expect([...fold.machines.get('connection')!.states]).toEqual([['backoff', 1]]);
    expect(fold.actors.get(key)!.taken.get(transitionKey('connected', 'to.backoff', 'backoff'))).toBe(1);
    expect(fold.links.get('n1')).toBe(key);
  });

  it('lets a step that comes late add to the history, in the order of time, and leaves the present alone', () => {
    const late = [
      step('n1', 'connection', { seq: 2, at: 3, from: 'connected', to: 'transient_failure' }),
      step('n1', 'connection', { seq: 3, at: 4, from: 'transient_failure', to: 'backoff' }),
    ];
    const fold = folded([...begun, ...late]);
    expect(fold.actors.get(key)).toMatchObject({ seq: 5, path: 'connected', since: 10 });
    expect(labels(fold)).toEqual(['transient_failure', 'backoff', 'connected']);
    // The same steps with later numbers do move it: it is the number that decides.
    const moved = folded([...begun, ...late.map((it) => ({ ...it, seq: it.seq + 10 }))]);
    expect(moved.actors.get(key)!.path).toBe('backoff');
  });

  it('keeps what goes on within a state out of the history', () => {
    const within = { connected: { liveness: 'asking', health: 'waiting' } };
    const fold = folded([
      ...begun,
      step('n1', 'connection', { seq: 6, at: 20, from: 'connected', to: within }),
    ]);
    expect(labels(fold)).toEqual(['connected']);
    expect(fold.actors.get(key)!.since).toBe(20);
  });

  it('forgets actors that a `present` no longer names, once its last part has come', () => {
    const two = present('n1', 10, ['connection', 'connected'], ['watch', 'ready']);
    const first = { ...present('n1', 20, ['connection', 'connected']), more: true } as typeof two;
    const fold = folded([hello(), node('n1'), two, first]);
    expect(fold.actors.size).toBe(2);
    fold.apply(present('n1', 20));
    expect([...fold.actors.keys()]).toEqual([key]);
  });

  it('counts nobody of a process that is gone, and everybody again when it is back', () => {
    const fold = folded([...begun, node('n1', 'gone')]);
    expect([...fold.machines.get('connection')!.states]).toEqual([]);
    expect(fold.actors.has(key)).toBe(true);
    fold.apply(step('n1', 'connection', { seq: 6, at: 20, from: 'connected', to: 'backoff' }));
    fold.apply(node('n1'));
    expect([...fold.machines.get('connection')!.states]).toEqual([['backoff', 1]]);
  });

  it('takes all processes for gone when a stream begins anew, until each is named again', () => {
    const fold = folded([...begun, hello('hub/2', 50)]);
    expect(fold.processes.get('node/n1/1')!.state).toBe('gone');
    fold.apply(node('n1'));
    expect([...fold.machines.get('connection')!.states]).toEqual([['connected', 1]]);
  });

  it('keeps a bounded number of actors that have ended, the latest', () => {
    const fold = folded([hello(), node('n1')]);
    for (let index = 0; index < foldLimits.maxEnded + 10; index += 1)
      fold.apply(
        step('n1', `call-${index}`, { seq: 1, at: index, from: null, to: 'done', more: { status: 'done' } }),
      );
    expect(fold.actors.size).toBe(foldLimits.maxEnded);
    expect(fold.actors.has(actorKey('node/n1/1', 'call-9'))).toBe(false);
    expect(fold.actors.has(actorKey('node/n1/1', `call-${foldLimits.maxEnded + 9}`))).toBe(true);
  });

  it('is forked: what happens to one does not happen to the other', () => {
    const fold = folded(begun);
    const fork = fold.fork();
    fold.apply(step('n1', 'connection', { seq: 6, at: 20, from: 'connected', to: 'backoff' }));
    expect(fork.actors.get(key)!.path).toBe('connected');
    expect([...fork.machines.get('connection')!.states]).toEqual([['connected', 1]]);
  });

  it('is told again by its own messages', () => {
    const fold = folded([
      ...begun,
      step('n1', 'connection', { seq: 6, at: 20, from: 'connected', to: 'backoff' }),
    ]);
    const again = folded(messagesOf(fold));
    const facts = ({ actors }: Fold) =>
      [...actors.values()].map(({ key: it, path, seq, since }) => [it, path, seq, since]);
    expect(facts(again)).toEqual(facts(fold));
    expect([...again.processes.keys()]).toEqual([...fold.processes.keys()]);
  });
});

it('calls a state as people do', () => {
  expect(stateLabel('online.listening')).toBe('online');
  expect(stateLabel('draining.establishing.registering')).toBe('draining');
  expect(stateLabel('editor.typing')).toBe('typing');
  expect(stateLabel('backoff')).toBe('backoff');
  expect(stateLabel('establishing.registering')).toBe('registering');
  expect(stateLabel('connected.liveness.listening, connected.health.waiting')).toBe('connected');
  expect(stateLabel('light.red, sound.off')).toBe('light.red, sound.off');
});
