// The textbook systems as a module for `holdfast check`: those that hold, and broken twins with their counterexamples.
// Invariant: names that begin with `broken` violate a property; all others hold.
import { agreement, paxosServers, validity } from './paxos.ts';
import { linearizable, putThenGet, registerSystem, valueChosen } from './register-clients.ts';
import { replicas, singleCopy } from './registers.ts';
import { consistent, fickleResourceManager, managers, twoPhaseCommit } from './two-phase-commit.ts';

const register = { always: { linearizable }, sometimes: { valueChosen } };
const consensus = { always: { agreement: agreement(3), validity: validity(3, ['A', 'B']) } };
const commit = { always: { consistent: consistent(5) } };

export const systems = {
  'two-phase-commit': { system: twoPhaseCommit(5), properties: commit },
  'two-phase-commit-symmetric': {
    system: { ...twoPhaseCommit(5), symmetry: [managers(5)] },
    properties: commit,
  },
  paxos: {
    system: registerSystem(paxosServers(3), putThenGet(2)),
    properties: { ...register, always: { ...register.always, ...consensus.always } },
  },
  'single-copy-register': { system: registerSystem([singleCopy('s0')], putThenGet(2)), properties: register },
  'replicated-register': { system: registerSystem(replicas(2), putThenGet(2)), properties: register },
  'broken-two-phase-commit': {
    system: twoPhaseCommit(2, { rm: fickleResourceManager }),
    properties: { always: { consistent: consistent(2) } },
  },
  'broken-paxos': {
    system: registerSystem(paxosServers(3, { promises: 'forgotten' }), putThenGet(2)),
    properties: consensus,
  },
  'broken-replicated-register': {
    system: registerSystem(replicas(3, { gets: 'unrecorded' }), [[{ put: 'A' }], ['get', 'get']]),
    properties: { always: { linearizable } },
  },
};
