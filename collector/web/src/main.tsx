import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { ApiFailure } from './api/client.ts';
import { askAhead } from './app/ahead.ts';
import { App } from './app/app.tsx';
import { PreferencesProvider, showFirstColours } from './app/preferences.tsx';
import './styles/tokens.css';
import './styles/base.css';
import './styles/ui.css';

showFirstColours();
/** Links of earlier versions: `/#/device/plant/D01`. */
if (location.hash.startsWith('#/')) history.replaceState(null, '', location.hash.slice(1));

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // An answer of the collector, even a refusal, is one; only silence is asked again.
      retry: (failures, error) => isSilence(error) && failures < 2,
      retryDelay: 1_000,
      staleTime: 1_000,
      gcTime: 60_000,
      // The browser's word on its network says nothing of a collector on the same machine.
      networkMode: 'always',
    },
  },
});

function isSilence(error: unknown): boolean {
  return error instanceof ApiFailure && error.status === 0;
}

askAhead(client, location.pathname);
const root = document.getElementById('root');
if (root === null) throw new Error('no #root');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <PreferencesProvider>
        <App />
      </PreferencesProvider>
    </QueryClientProvider>
  </StrictMode>,
);
