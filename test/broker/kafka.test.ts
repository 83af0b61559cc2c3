import { useKafka } from '../support/kafka.ts';
import { describeBroker } from './conformance.ts';
import { KafkaPlace } from './kafka/fixtures.ts';

describe('on a real Kafka', () => {
  const brokers = useKafka();
  describeBroker('kafka', { keepsUnconsumed: false }, () => Promise.resolve(new KafkaPlace(brokers())));
});
