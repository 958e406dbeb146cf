
// ------------------------------------------------------------------------------------------------ between two drawings

// Plotly draws everything anew whatever is new, on a slow machine 40 ms of every look. Most looks bring points of one line:
// as long as these lie where the axes reach, its path and that of the smooth line are all that changes. Whoever points at the
// plot finds it drawn by Plotly.
const EARLY = 1.3; // while no end is known, the axis reaches so many times as far as the line does when it is drawn
const LOWER = 0.12; // so much of what the losses span is left free below them, for those to come
let drawnAs = '';

// What a drawing depends on, but for the points.
const likeness = () => JSON.stringify([state.run, chosen, state.maxSteps, state.isOver, isWaiting(), clock(), page?.width]);

// Where the axis ends while nobody knows where the run does.
const reach = () => {
  const {raw, held} = state, at = Math.max(last(along(raw)) || 0, last(along(held)) || 0);
  return (state.isOver ? at : EARLY * at) || 1;
};

// A value for the loss axis to include.
const floor = () => {
  if (state.isOver || isWaiting()) return {};
  const known = [...state.raw.loss, ...state.held.nats].map(inUnit); // too many to be arguments
  const low = known.reduce((a, b) => Math.min(a, b)), high = known.reduce((a, b) => Math.max(a, b));
  return {autorangeoptions: {include: chosen.scale === 'linear' ? low - LOWER * (high - low) : low * (1 - LOWER / 2)}};
};

// Draws what `value` brought, if nothing else is new and there is room for it; whether it did.
const grew = (value) => {
  const isLine = value.train.length && !value.reset && !value.evaluations.length && !value.references;
  if (!isLine || document.hidden || !element.clientWidth || likeness() !== drawnAs || plot.matches(':hover, :focus-within')) return false;
  const {xaxis, yaxis} = plot._fullLayout, {raw} = state;
  const isInside = (axis, place) => axis.d2p(place) >= 0 && axis.d2p(place) <= axis._length;
  if (!isInside(xaxis, last(along(raw))) || !value.train.every((row) => isInside(yaxis, inUnit(row[1])))) return false;
  const [line, smooth] = [0, plot.data.length - 3].map((at) => plot.querySelector(`.trace${plot._fullData[at].uid} .js-line`));
  if (!line || !smooth) return false; // the reader has put one away
  const path = (y, most) => {
    const places = sparse(y, most).map((value) => yaxis.d2p(inUnit(value)).toFixed(2));
    return `M${sparse(along(raw), most).map((x, i) => `${xaxis.d2p(x).toFixed(2)},${places[i]}`).join('L')}`;
  };
  line.setAttribute('d', path(raw.loss, MOST_DRAWN));
  smooth.setAttribute('d', path(smoothed(raw.loss), MOST_SMOOTH));
  plot.dataset.points = raw.step.length;
  plot.dataset.grown = '1';
  drawPanels();
  return true;
};

for (const event of ['pointerenter', 'focusin']) plot.addEventListener(event, () => { if (plot.dataset.grown) draw(); });
