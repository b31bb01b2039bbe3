/** The scores of the whole site in the range: what one sees from three metres. */

import type { ReactNode } from 'react';
import { usePreferences } from '../../app/preferences.tsx';
import { formatDuration, formatValue } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark } from '../../ui/mark.tsx';
import { levelOf, targetOf } from './map.ts';
import styles from './page.module.css';
import type { QualityAnswer, Shown } from './types.ts';
import { DIMENSIONS } from './types.ts';
import { QUALITY_WORDS } from './words.ts';

export function SiteScores({ answer, label }: { answer: QualityAnswer; label: string }): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const { language } = usePreferences();
  const { targets } = answer;
  const score = answer.items[0]?.score;
  const targetText = (shown: Shown): string =>
    shown === 'timeliness'
      ? say('target_within', { time: formatDuration(targets.timely_within_ms, say) })
      : say('target', { points: formatValue(targetOf(shown, targets), 0, language) });
  return (
    <section aria-label={label} className={styles.scores}>
      {(['all', ...DIMENSIONS] as const).map((shown) => {
        const points = score?.[shown] ?? null;
        const level = levelOf(points, shown, targets);
        return (
          <div key={shown} className={`panel ${styles.score}`} data-score={shown}>
            <h2>{say(shown)}</h2>
            <p className={styles.points}>
              {points === null ? '–' : formatValue(points, 1, language)}
            </p>
            <p className="note">
              {points === null ? (
                say('no_judgement')
              ) : level === 'calm' ? (
                targetText(shown)
              ) : (
                <Mark level={level}>{`${say('below_target')} · ${targetText(shown)}`}</Mark>
              )}
            </p>
          </div>
        );
      })}
    </section>
  );
}
