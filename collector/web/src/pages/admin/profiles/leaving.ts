/** While something is not applied yet, the browser asks before it closes the tab. */

import { draftStore } from './drafts.ts';

let isWatching = false;

/** From the first call on, also while another page is shown: drafts live as long as the tab. */
export function warnBeforeLeaving(): void {
  if (isWatching) return;
  isWatching = true;
  const look = (): void => {
    if (draftStore.get().size > 0) window.addEventListener('beforeunload', warn);
    else window.removeEventListener('beforeunload', warn);
  };
  draftStore.subscribe(look);
  look();
}

function warn(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
