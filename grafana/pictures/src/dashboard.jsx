// The grid of a dashboard: 24 columns on a desk, one panel under the other on a phone.

import { PanelChrome } from '@grafana/ui';
import { useEffect } from 'react';
import { draw } from './drawing.jsx';

const [COLUMNS, ROW_PIXELS, GAP_PIXELS] = [24, 30, 8];
const PHONE_PIXELS = 769;
const HOLDS_STILL_MILLISECONDS = 2_000;

/** All panels in their places; data-drawn is set once they have been drawn. */
export function Dashboard({ drawings, theme, variables, width }) {
  const places = (width < PHONE_PIXELS ? stacked : gridded)(drawings, width);
  const background = theme.colors.background.canvas;
  const height = Math.max(...places.map(({ top, height }) => top + height)) + GAP_PIXELS;
  useEffect(() => {
    const say = () => (document.body.dataset.drawn = height);
    const timer = setTimeout(say, HOLDS_STILL_MILLISECONDS);
    return () => clearTimeout(timer);
  }, [height]);
  return (
    <div style={{ position: 'absolute', inset: 0, width, height, background }}>
      {drawings.map((drawing, at) => (
        <div key={drawing.panel.id} style={{ position: 'absolute', ...places[at] }}>
          <Panel drawing={drawing} theme={theme} variables={variables} place={places[at]} />
        </div>
      ))}
    </div>
  );
}

function Panel({ drawing, theme, variables, place }) {
  const { panel, fault } = drawing;
  return (
    <PanelChrome title={variables.replace(panel.title)} width={place.width} height={place.height}>
      {(width, height) =>
        fault ? <p>{fault}</p> : draw({ ...drawing, theme, variables }, width, height)
      }
    </PanelChrome>
  );
}

/** Places on a grid; a panel rises into the room of one that is not drawn. */
function gridded(drawings, width) {
  const column = (width - GAP_PIXELS) / COLUMNS;
  const bottoms = Array(COLUMNS).fill(0);
  const rows = new Map();
  const downwards = drawings.toSorted(
    ({ panel: { gridPos: a } }, { panel: { gridPos: b } }) => a.y - b.y || a.x - b.x,
  );
  for (const { panel } of downwards) {
    const { x, w, h } = panel.gridPos;
    const row = Math.max(...bottoms.slice(x, x + w));
    rows.set(panel.id, row);
    bottoms.fill(row + h, x, x + w);
  }
  return drawings.map(({ panel: { id, gridPos } }) => ({
    left: GAP_PIXELS + gridPos.x * column,
    top: GAP_PIXELS + rows.get(id) * (ROW_PIXELS + GAP_PIXELS),
    width: gridPos.w * column - GAP_PIXELS,
    height: gridPos.h * (ROW_PIXELS + GAP_PIXELS) - GAP_PIXELS,
  }));
}

function stacked(drawings, whole) {
  let top = GAP_PIXELS;
  return drawings.map(({ panel: { gridPos } }) => {
    const height = gridPos.h * (ROW_PIXELS + GAP_PIXELS) - GAP_PIXELS;
    const place = { left: GAP_PIXELS, top, width: whole - 2 * GAP_PIXELS, height };
    top += height + GAP_PIXELS;
    return place;
  });
}
