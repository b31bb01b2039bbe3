/** One gateway: how it is, where every reading of it is, its devices, what happened. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { ApiFailure, ask } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import { devicePath, pathNames } from '../../app/address.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Fact } from '../../ui/fact.tsx';
import type { Level } from '../../ui/level.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import type { Column } from '../../ui/table.tsx';
import { Table } from '../../ui/table.tsx';
import { Age, Time } from '../../ui/time.tsx';
import { ZoneNote } from '../../ui/zone_note.tsx';
import { BufferCell, CertificateCell, ClockCell, EvictionCell, StateCell } from './cells.tsx';
import { DeepCheckPart } from './deep_check.tsx';
import { EventsPart } from './events.tsx';
import { LedgerPart } from './ledger.tsx';
import look from './page.module.css';
import type { Device, Gateway, Reader } from './types.ts';
import { GATEWAYS_WORDS } from './words.ts';

const EVERY_MS = 5_000;
const DEVICES_MAX = 200;

export default function GatewayPage(): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const [, site = '', gateway = ''] = pathNames(window.location.pathname);
  const query = useQuery({
    queryKey: ['gateway', site, gateway],
    queryFn: ({ signal }) =>
      ask<Gateway>(
        `gateways/${encodeURIComponent(site)}/${encodeURIComponent(gateway)}`,
        {},
        { signal },
      ),
    refetchInterval: EVERY_MS,
  });
  const isMissing = query.error instanceof ApiFailure && query.error.status === 404;
  return (
    <>
      <p>
        <Link href="/gateways">{say('back')}</Link>
      </p>
      <div className="title-row">
        <h1>
          <Name text={gateway} /> <small className="note">{site}</small>
        </h1>
        <ZoneNote site={site} />
      </div>
      {isMissing ? (
        <Empty text={say('not_found')} />
      ) : (
        <Resource query={query}>
          {(shown) => (
            <>
              <Facts gateway={shown} />
              <LedgerPart site={site} gateway={gateway} />
              <DeepCheckPart site={site} gateway={gateway} />
              <Readers readers={shown.readers} site={site} />
              <Devices site={site} gateway={gateway} />
              <EventsPart site={site} gateway={gateway} />
            </>
          )}
        </Resource>
      )}
    </>
  );
}

function Facts({ gateway }: { gateway: Gateway }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { language } = usePreferences();
  const { site, version, install_id, epoch, last_seq, state_ms, updated_ms, ledger, transport } =
    gateway;
  const facts: [string, ReactNode][] = [
    [say('state'), <StateCell key="state" gateway={gateway} />],
    [say('last_seen'), updated_ms === null ? '–' : <Age key="seen" ms={updated_ms} />],
    [say('buffer'), <BufferCell key="buffer" gateway={gateway} />],
    [say('eviction'), <EvictionCell key="eviction" gateway={gateway} />],
    [say('clock'), <ClockCell key="clock" gateway={gateway} />],
    [say('state_at'), state_ms === null ? '–' : <Time key="at" ms={state_ms} site={site} />],
    [say('version'), <Name key="version" text={version || '–'} />],
    [say('install'), <Name key="install" text={install_id || '–'} />],
    [say('epoch'), <code key="epoch">{epoch || '–'}</code>],
    [say('last_number'), formatCount(last_seq, language)],
    [say('transport'), transport === null ? '–' : say(`transport_${transport}`)],
    [say('certificate_until'), <CertificateCell key="certificate" gateway={gateway} />],
  ];
  const here = `?site=${encodeURIComponent(site)}&gateway=${encodeURIComponent(gateway.gateway)}`;
  return (
    <section className={`panel ${look.part}`} aria-label={say('facts')}>
      <dl className={look.facts}>
        {facts.map(([name, value]) => (
          <Fact key={name} name={name}>
            {value}
          </Fact>
        ))}
      </dl>
      <p className={look.links}>
        {ledger.quarantined > 0 ? (
          <Link href={`/quarantine${here}`}>{say('quarantine_link')}</Link>
        ) : null}{' '}
        <Link href={`/alerts?site=${encodeURIComponent(site)}`}>
          {say('alerts_link', { site })}
        </Link>
      </p>
    </section>
  );
}

const READER_WORDS = ['ok', 'failing', 'open', 'stopped'] as const;

function Readers({ readers, site }: { readers: readonly Reader[]; site: string }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { language } = usePreferences();
  const columns: Column<Reader>[] = [
    { key: 'device', head: say('device'), cell: ({ device }) => <Name text={device} /> },
    { key: 'reader', head: say('reader'), cell: ({ reader }) => <Name text={reader} /> },
    {
      key: 'status',
      head: say('reader_status'),
      cell: ({ status }) => {
        const known = READER_WORDS.find((word) => word === status);
        const text = known === undefined ? status : say(`reader_${known}`);
        return <Mark level={status === 'ok' ? 'calm' : 'warn'}>{text}</Mark>;
      },
    },
    {
      key: 'last_good',
      head: say('last_good'),
      cell: ({ last_good_ms }) =>
        last_good_ms === 0 ? say('never') : <Time ms={last_good_ms} site={site} />,
    },
    {
      key: 'errors',
      head: say('errors'),
      isNumber: true,
      cell: ({ errors_total }) => formatCount(errors_total, language),
    },
    { key: 'last_error', head: say('last_error'), cell: (one) => <Name text={one.last_error} /> },
  ];
  return (
    <section className={look.part} id="readers">
      <h2>{say('readers')}</h2>
      {readers.length === 0 ? (
        <Empty text={say('readers_none')} />
      ) : (
        <Table
          label={say('readers')}
          columns={columns}
          rows={readers}
          keyOf={({ device, reader }) => JSON.stringify([device, reader])}
        />
      )}
    </section>
  );
}

const DEVICE_LEVELS: Record<Device['state'], Level> = {
  online: 'calm',
  late: 'note',
  silent: 'warn',
  unknown: 'calm',
};

function Devices({ site, gateway }: { site: string; gateway: string }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const query = useQuery({
    queryKey: ['devices', 'of', site, gateway],
    queryFn: ({ signal }) =>
      ask<Page<Device>>('devices', { site, gateway, limit: DEVICES_MAX }, { signal }),
    refetchInterval: EVERY_MS,
  });
  const columns: Column<Device>[] = [
    {
      key: 'device',
      head: say('device'),
      cell: ({ device }) => (
        <Link href={devicePath({ site, device })}>
          <Name text={device} />
        </Link>
      ),
    },
    { key: 'line', head: say('line'), cell: ({ line }) => <Name text={line} /> },
    {
      key: 'state',
      head: say('state'),
      cell: ({ state }) => <Mark level={DEVICE_LEVELS[state]}>{say(`device_${state}`)}</Mark>,
    },
    { key: 'last', head: say('last_seen'), cell: ({ received_ms }) => <Age ms={received_ms} /> },
  ];
  return (
    <section className={look.part} id="devices">
      <h2>{say('devices')}</h2>
      <Resource query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty text={say('devices_none')} />
          ) : (
            <Table
              label={say('devices')}
              columns={columns}
              rows={items}
              keyOf={({ device }) => device}
            />
          )
        }
      </Resource>
    </section>
  );
}
