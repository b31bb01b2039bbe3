/** Administration: users, tokens, gateways, profiles and rules, the audit log, and the own account. */

import type { ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { usePermissions } from '../../app/session.ts';
import { useSay } from '../../i18n/say.ts';
import { Empty } from '../../ui/states.tsx';
import { AuditSection } from './audit.tsx';
import { GatewaysSection } from './gateways/section.tsx';
import { MeSection } from './me.tsx';
import look from './page.module.css';
import { ProfilesSection } from './profiles/section.tsx';
import type { Section } from './sections.ts';
import { sectionOf, sectionsFor } from './sections.ts';
import { TokensSection } from './tokens.tsx';
import { UsersSection } from './users.tsx';
import { ADMIN_WORDS } from './words.ts';

const PARTS: Record<Section, () => ReactNode> = {
  users: UsersSection,
  tokens: TokensSection,
  gateways: GatewaysSection,
  profiles: ProfilesSection,
  audit: AuditSection,
  me: MeSection,
};

export default function AdminPage(): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const [location] = useLocation();
  const sections = sectionsFor(usePermissions());
  const section = sectionOf(location, sections);
  const Part = section === undefined ? undefined : PARTS[section];
  return (
    <>
      <div className="title-row">
        <h1>{say('page_admin')}</h1>
        <nav className={look.sections} aria-label={say('sections')}>
          {sections.map((one) => (
            <Link
              key={one}
              href={`/admin/${one}`}
              aria-current={one === section ? 'page' : undefined}
            >
              {say(`section_${one}`)}
            </Link>
          ))}
        </nav>
      </div>
      {Part === undefined ? <Empty text={say('forbidden')} /> : <Part />}
    </>
  );
}
