// ?dashboard=URL&prometheus=URL&now=TIME&width=PIXELS: draw a dashboard once.
//
// When all is drawn the body says so: data-drawn is the height in pixels, data-faults are the
// panels that could not be drawn, data-empty those without a value, data-omitted those whose
// visualisation is not in @grafana/ui; each as a JSON list.

import { createTheme, ThemeContext } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { Dashboard } from './dashboard.jsx';
import { isDrawn } from './drawing.jsx';
import { shaped } from './fields.js';
import { answered } from './queries.js';
import { Variables } from './variables.js';

const asked = new URLSearchParams(location.search);
const prometheus = asked.get('prometheus');
const now = Date.parse(asked.get('now'));
Date.now = () => now; // what "now" in the dashboard means; Moment asks this too

const body = document.body;
const width = Number(asked.get('width')); // a window is never narrower than 500
try {
  await initPluginTranslations('pictures');
  const dashboard = await (await fetch(asked.get('dashboard'))).json();
  const theme = createTheme({ colors: { mode: 'dark' } });
  const variables = new Variables(dashboard);
  const shown = dashboard.panels.filter(({ type }) => isDrawn(type));
  const drawings = await Promise.all(
    shown.map(async (panel) => {
      const points = (width * panel.gridPos.w) / 24;
      try {
        const { range, frames } = await answered(prometheus, dashboard, panel, variables, points);
        return { panel, range, frames: await shaped(panel, frames, theme, variables) };
      } catch (error) {
        return { panel, fault: error.stack ?? String(error) };
      }
    }),
  );
  const faults = drawings
    .filter(({ fault }) => fault)
    .map(({ panel, fault }) => `${panel.title}: ${fault}`);
  const titles = (panels) => JSON.stringify(panels.map(({ title }) => title));
  body.dataset.faults = JSON.stringify(faults);
  const empty = drawings.filter(({ frames }) => frames?.length === 0);
  body.dataset.empty = titles(empty.map(({ panel }) => panel));
  body.dataset.omitted = titles(dashboard.panels.filter(({ type }) => !isDrawn(type)));
  createRoot(document.getElementById('dashboard'), {
    onUncaughtError: (error) => (body.dataset.faults = JSON.stringify([...faults, String(error)])),
  }).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PortalContainer />
      <Dashboard {...{ drawings, theme, variables, width }} />
    </ThemeContext.Provider>,
  );
} catch (error) {
  body.dataset.faults = JSON.stringify([String(error)]);
  body.dataset.drawn = '0';
}
