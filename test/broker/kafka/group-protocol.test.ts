import { expect } from 'chai';
import kafkajs from 'kafkajs';
import { BrokerError } from '../../../src/broker/errors.ts';
import { canFollow } from '../../../src/broker/kafka/group-lifecycle.ts';
import {
  decodeAssignment,
  decodeMember,
  encodeAssignment,
  encodeMember,
} from '../../../src/broker/kafka/group-protocol.ts';

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;

describe('what members of a group tell each other', () => {
  const member = { owned: [2, 0], generation: 7, fingerprint: 'regions at level 3 — é' };

  it('is read as it was written', () => {
    expect(decodeMember('m', 't', encodeMember('t', member))).to.deep.equal({ id: 'm', ...member });
    for (const assignment of [{ partitions: [1, 3] }, { partitions: [], refusal: 'no' }]) {
      expect(decodeAssignment('t', encodeAssignment('t', assignment))).to.deep.equal(assignment);
    }
  });

  it('has the layout of consumers, so that tools can show it', () => {
    expect(MemberMetadata.decode(encodeMember('t', member))).to.deep.include({ version: 1, topics: ['t'] });
    expect(MemberAssignment.decode(encodeAssignment('t', { partitions: [1, 3] }))).to.deep.include({
      version: 1,
      assignment: { t: [1, 3] },
    });
    // ConsumerProtocolSubscription v1: what is owned follows the user data.
    const owned = Buffer.from('000000010001740000000200000002' + '00000000', 'hex');
    const bytes = encodeMember('t', member);
    expect(bytes.subarray(bytes.length - owned.length)).to.deep.equal(owned);
  });

  it('takes a member of another version for one of another configuration, and keeps what it owns', () => {
    const strange = Buffer.from(
      encodeMember('t', member).toString('latin1').replace('"format":1', '"format":9'),
      'latin1',
    );
    const decoded = decodeMember('m', 't', strange);
    expect(decoded).to.deep.include({ owned: [2, 0], generation: 0 });
    expect(decoded.fingerprint).to.match(/^another version of Geoflock, .*"format":9/);
  });

  it('tells members over another topic from ours', () => {
    expect(decodeMember('m', 't', encodeMember('other', member))).to.deep.include({
      owned: [],
      fingerprint: `topic other, ${member.fingerprint}`,
    });
  });

  it('refuses an assignment by a leader of another version', () => {
    const strange = Buffer.from(
      encodeAssignment('t', { partitions: [1] })
        .toString('latin1')
        .replace('"format":1', '"format":9'),
      'latin1',
    );
    expect(() => decodeAssignment('t', strange)).to.throw(BrokerError, /"format":9.*same version/);
  });
});

describe('life of a membership', () => {
  it('ends only by leaving, which is possible at any time, once', () => {
    for (const state of ['joining', 'stable', 'revoking', 'lost', 'failed'] as const) {
      expect(canFollow(state, 'leaving'), state).to.equal(true);
      expect(canFollow(state, 'left'), state).to.equal(false);
    }
    expect(canFollow('leaving', 'leaving')).to.equal(false);
    expect(canFollow('left', 'joining')).to.equal(false);
  });

  it('joins again after letting go, and never goes on after failing', () => {
    expect(canFollow('revoking', 'stable')).to.equal(false);
    expect(canFollow('lost', 'stable')).to.equal(false);
    expect(canFollow('failed', 'joining')).to.equal(false);
  });
});
