/** What a file was before: to look at, and to go back to. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useDeed } from '../../../app/deed.ts';
import { useOverview } from '../../../app/overview.ts';
import { useSay } from '../../../i18n/say.ts';
import { Empty, FormError, Resource } from '../../../ui/states.tsx';
import { Time } from '../../../ui/time.tsx';
import { DiffView } from './diff_view.tsx';
import type { Draft } from './drafts.ts';
import { draftStore } from './drafts.ts';
import look from './profiles.module.css';
import { versionsQuery, versionText } from './request.ts';
import { PROFILES_WORDS } from './words.ts';

export function Versions(props: { name: string; now: string; base: Draft['base'] }): ReactNode {
  const say = useSay(PROFILES_WORDS);
  const [isOpen, setOpen] = useState(props.base === null);
  return (
    <details
      className={look.versions}
      open={isOpen}
      onToggle={({ currentTarget }) => setOpen(currentTarget.open)}
    >
      <summary>{say('versions')}</summary>
      {isOpen ? <List {...props} /> : null}
    </details>
  );
}

function List({ name, now, base }: { name: string; now: string; base: Draft['base'] }): ReactNode {
  const say = useSay(PROFILES_WORDS);
  const site = useOverview()?.sites[0]?.site ?? '';
  const versions = useQuery(versionsQuery(name));
  const [shown, setShown] = useState<{ id: string; text: string }>();
  const { problem, run } = useDeed();
  const show = (id: string): Promise<void> =>
    run(async () => setShown({ id, text: await versionText(name, id) }));
  return (
    <Resource query={versions}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty text={say('versions_none')} />
        ) : (
          <>
            <ul className={look.list}>
              {items.map(({ id, replaced_ms }) => (
                <li key={id}>
                  <button
                    type="button"
                    data-version={id}
                    aria-pressed={shown?.id === id}
                    onClick={() => void show(id)}
                  >
                    {say('version_until')} <Time ms={replaced_ms} site={site} />
                  </button>
                </li>
              ))}
            </ul>
            <FormError text={problem} />
            {shown === undefined ? null : (
              <>
                <DiffView label={say('versions')} before={now} after={shown.text} />
                <button
                  type="button"
                  className="act"
                  data-action="restore"
                  onClick={() => draftStore.put(name, shown.text, base)}
                >
                  {say('version_take')}
                </button>
              </>
            )}
          </>
        )
      }
    </Resource>
  );
}
