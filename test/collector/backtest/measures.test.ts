import t from 'tap';
import { Measures } from '../../../collector/backtest/measures.ts';

const HOUR = 3_600_000;

/** `alarms`: A begins, a open, . none; `events`: a digit for the event, . none. A row an hour. */
function measure(alarms: string, events: string, trainRows = 0) {
  const measures = new Measures({ trainRows, hasLabels: true });
  for (const [i, one] of [...alarms].entries()) {
    const event = events[i] === '.' ? -1 : Number(events[i]);
    measures.add({ timeMs: i * HOUR, alarm: one !== '.', isOnset: one === 'A', event });
  }
  const summary = measures.summary();
  if (summary.labels === undefined) throw new Error('no labels');
  return { ...summary, labels: summary.labels };
}

t.test('rows and events by hand', async (t) => {
  const { anomalies, alarm_rows, labels } = measure('..Aa....Aaa..A', '.000..111.....');
  t.equal(anomalies, 3);
  t.equal(alarm_rows, 6);
  const { by_row, by_event } = labels;
  t.match(by_row, { tp: 3, fp: 3, fn: 3, tn: 5 });
  t.equal(by_row.precision, 0.5);
  t.equal(by_row.recall, 0.5);
  t.equal(by_row.f1, 0.5);
  t.equal(by_row.false_alarm_rate, 3 / 8);
  t.match(by_event, { events: 2, found: 2, true_anomalies: 2, false_anomalies: 1 });
  t.equal(by_event.precision, 2 / 3);
  t.equal(by_event.recall, 1);
  t.equal(by_event.delay_rows_mean, 1.5);
  t.equal(by_event.delay_rows_max, 2);
  t.equal(by_event.delay_ms_max, 2 * HOUR);
  t.equal(by_event.false_anomalies_per_device_day, 1 / (13 / 24));
});

t.test(
  'an anomaly that goes on into an event is true, and one event after the other is two',
  async (t) => {
    const { labels } = measure('Aaaaaa.', '..0011.');
    t.match(labels.by_event, { events: 2, found: 2, true_anomalies: 1, false_anomalies: 0 });
    t.equal(labels.by_event.delay_rows_max, 0);
  },
);

t.test('one anomaly right after the other is two', async (t) => {
  const { anomalies, labels } = measure('AaAa', '....');
  t.equal(anomalies, 2);
  t.equal(labels.by_event.false_anomalies, 2);
  t.equal(labels.by_event.recall, null, 'no events: nothing to find');
});

t.test('training rows count for nothing, nor what began in them', async (t) => {
  const { rows, training_rows, anomalies, labels } = measure('.Aaa..A', '.....00', 2);
  t.equal(rows, 7);
  t.equal(training_rows, 2);
  t.equal(anomalies, 1);
  t.match(labels.by_event, { events: 1, found: 1, false_anomalies: 0 });
});

t.test('without labels, and without rows', async (t) => {
  const measures = new Measures({ trainRows: 0, hasLabels: false });
  t.match(measures.summary(), { rows: 0, anomalies: 0, anomalies_per_device_day: null });
  t.notOk('labels' in measures.summary());
});
