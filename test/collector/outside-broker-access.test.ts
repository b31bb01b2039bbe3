/** The configuration that docs/examples/mosquitto gives: who gets in, and who may say what as whom. */

import { spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MqttClient } from 'mqtt';
import mqtt from 'mqtt';
import type { Test } from 'tap';
import t from 'tap';
import type { OutsideBrokerConfig } from '../../collector/config.ts';
import type { Mosquitto } from '../support/mosquitto.ts';
import { startMosquitto } from '../support/mosquitto.ts';
import {
  faultsOf,
  isEmpty,
  outsideConfig,
  startGateway,
  startIntake,
  until,
} from '../support/outside-broker.ts';
import { whyNotWithout } from '../support/programs.ts';
import { memoryFolder } from '../support/test-buffer.ts';

const skip = whyNotWithout('mosquitto', 'mosquitto_passwd', 'openssl');
const EXAMPLES = new URL('../../docs/examples/mosquitto/', import.meta.url).pathname;

interface Rig {
  mosquitto: Mosquitto;
  url: string;
  ca: string;
  /** The collector's, right in everything. */
  outside: OutsideBrokerConfig;
}

function run(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}

/** An authority, and what it signed for 127.0.0.1. */
function makeCertificates(folder: string): string {
  const at = (name: string) => join(folder, name);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const ca = ['-subj', '/CN=test authority', '-keyout', at('ca.key'), '-out', at('ca.pem')];
  run('openssl', ['req', '-x509', ...key, ...ca]);
  const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key')];
  const own = ['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=CA:FALSE'];
  const broker = ['-subj', '/CN=broker', '-keyout', at('broker.key'), '-out', at('broker.pem')];
  run('openssl', ['req', '-x509', ...key, ...signed, ...own, ...broker]);
  return readFileSync(at('ca.pem'), 'utf8');
}

/** Mosquitto with the example's own lines; only the places of its files are others. */
async function startExample(t: Test): Promise<Rig> {
  const folder = memoryFolder(t);
  const ca = makeCertificates(folder);
  const passwords = join(folder, 'fms.passwords');
  for (const [index, user] of ['fms-collector', 's/g', 's/h'].entries()) {
    run('mosquitto_passwd', [...(index === 0 ? ['-c'] : []), '-b', passwords, user, `of ${user}`]);
  }
  copyFileSync(join(EXAMPLES, 'fms.acl'), join(folder, 'fms.acl'));
  const text = readFileSync(join(EXAMPLES, 'mosquitto.conf'), 'utf8')
    .replaceAll('/etc/mosquitto/certs', folder)
    .replaceAll('/etc/mosquitto', folder)
    .replaceAll('/var/lib/mosquitto', folder);
  const mosquitto = await startMosquitto(t, {
    whole: (port) => text.replace('listener 8883', `listener ${port} 127.0.0.1`),
  });
  const url = `mqtts://127.0.0.1:${mosquitto.port}`;
  const outside = outsideConfig(url, {
    username: 'fms-collector',
    password: 'of fms-collector',
    tls: { ca, cert: undefined, key: undefined },
  });
  return { mosquitto, url, ca, outside };
}

async function connectAs(t: Test, rig: Rig, user: string): Promise<MqttClient> {
  const client = await mqtt.connectAsync(rig.url, {
    protocolVersion: 4,
    username: user,
    password: `of ${user}`,
    ca: rig.ca,
    reconnectPeriod: 0,
  });
  t.teardown(() => client.end(true));
  return client;
}

t.test(
  'gateways deliver under their own names, encrypted, and under no other',
  { skip },
  async (t) => {
    const rig = await startExample(t);
    const intake = await startIntake(t, rig.outside);
    await until(() => intake.broker.stats().accepting);
    const gateway = startGateway(t, rig.url, { token: 'of s/g', ca: rig.ca });
    await gateway.emit(500);
    await until(() => isEmpty(gateway));
    t.equal(faultsOf(await intake.records(), gateway), undefined);

    const before = (await intake.records()).length;
    const other = await connectAs(t, rig, 's/h');
    const heard: string[] = [];
    other.on('message', (topic) => heard.push(topic));
    for (const topic of [
      '#',
      '$SYS/#',
      'fms/v1/s/g/command',
      'fms/v1/+/+/command',
      'fms/v1/s/g/state',
    ])
      await other.subscribeAsync(topic, { qos: 1 }).catch(() => undefined);
    for (const leaf of ['batch', 'state', 'reply', 'command']) {
      await other.publishAsync(`fms/v1/s/g/${leaf}`, 'forged', { qos: 1 });
    }
    // It was acknowledged, and led to nothing: what is allowed comes after it and alone.
    await gateway.emit(10);
    await until(() => isEmpty(gateway));
    await other.publishAsync('fms/v1/s/h/batch', 'own', { qos: 1 });
    await until(async () => (await intake.records()).some(({ key }) => key === 's/h'));
    const added = (await intake.records()).slice(before);
    t.notOk(added.some(({ value }) => Buffer.from(value).includes('forged')));
    t.same(
      heard.filter((topic) => topic !== 'fms/v1/s/h/command'),
      [],
      'and hears nothing of others',
    );
    const [own] = added.filter(({ key }) => key === 's/h');
    t.equal(Buffer.from(own?.value ?? []).toString(), 'own');
  },
);

t.test(
  'a gateway that the rules do not let speak keeps what it has, and says why',
  { skip },
  async (t) => {
    const rig = await startExample(t);
    const intake = await startIntake(t, rig.outside);
    await until(() => intake.broker.stats().accepting);
    // The name of one, the password of another: the agent's user is its name.
    const refused = startGateway(t, rig.url, { name: 'g', token: 'of s/h', ca: rig.ca });
    await refused.emit(5);
    await until(() => refused.forwarder.status().connectFailuresTotal >= 1);
    t.equal(refused.forwarder.status().lastError?.code, 'AGENT_NOT_AUTHORISED');
    t.equal(refused.buffer.stats().readings, 5);
  },
);

t.test(
  'wrong password, unknown authority, nobody there: said, and tried again',
  { skip },
  async (t) => {
    const rig = await startExample(t);
    const cases: [OutsideBrokerConfig, RegExp][] = [
      [{ ...rig.outside, password: 'wrong' }, /OUTSIDE_BROKER_UNAVAILABLE.*[Nn]ot authorized/],
      [{ ...rig.outside, tls: undefined }, /OUTSIDE_BROKER_UNAVAILABLE.*(certificate|issuer)/],
      [{ ...rig.outside, url: 'mqtt://127.0.0.1:1', tls: undefined }, /ECONNREFUSED/],
    ];
    for (const [outside, problem] of cases) {
      const intake = await startIntake(t, outside);
      await until(() => problem.test(intake.broker.stats().problem ?? ''));
      t.equal(intake.broker.stats().accepting, false);
      t.equal(
        await intake.broker.publishCommand({ site: 's', gateway: 'g' }, Buffer.from('x')),
        false,
      );
    }
    const late = await startIntake(t, rig.outside);
    await until(() => late.broker.stats().accepting);
    await rig.mosquitto.kill();
    await until(() => !late.broker.stats().accepting);
    await rig.mosquitto.start();
    await until(() => late.broker.stats().accepting);
    t.equal(late.broker.stats().problem, undefined);
  },
);
