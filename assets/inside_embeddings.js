// The tokens as points on two axes; the stages of the training one after the other, every token moving to its place.
const STAGE_MS = 1400;
let playing = 0;

start(({tokens, stages, words}) => {
  clearInterval(playing);
  const width = 760, height = 470, edge = 26;
  const all = stages.flatMap(({points}) => points);
  const span = (axis) => [Math.min(...all.map((point) => point[axis])), Math.max(...all.map((point) => point[axis]))];
  const [[x0, x1], [y0, y1]] = [span(0), span(1)];
  const place = ([a, b]) => [edge + (a - x0) / (x1 - x0 || 1) * (width - 2 * edge), height - edge - (b - y0) / (y1 - y0 || 1) * (height - 2 * edge)];

  const plot = vector('svg', {viewBox: `0 0 ${width} ${height}`, class: 'token-map', role: 'group', 'aria-label': words.map});
  const lines = vector('g', {class: 'near'}), [ox, oy] = place([0, 0]);
  plot.append(vector('path', {d: `M${edge} ${oy}H${width - edge}M${ox} ${edge}V${height - edge}`, class: 'grid-line'}), lines);
  const names = tokens.map((token, i) => {
    const name = vector('text', {'text-anchor': 'middle', dy: '.35em', tabindex: i ? -1 : 0, role: 'img', 'data-at': i}, visible(token));
    plot.append(name);
    return name;
  });
  const readout = make('p', {class: 'readout', 'aria-live': 'polite'}), about = make('p', {class: 'fine'});
  const picker = make('div', {class: 'segments-like', role: 'group', 'aria-label': words.stages});
  let now = stages.length - 1, asked = -1;

  const tell = (i) => {
    asked = i;
    const {points, near} = stages[now];
    lines.replaceChildren(...near[i].map((other) => {
      const [a, b] = [place(points[i]), place(points[other])];
      return vector('line', {x1: a[0], y1: a[1], x2: b[0], y2: b[1]});
    }));
    names.forEach((name, n) => { name.classList.toggle('asking', n === i); name.classList.toggle('alike', near[i].includes(n)); });
    readout.textContent = `“${visible(tokens[i])}” · ${words.near}: ${near[i].map((other) => `“${visible(tokens[other])}”`).join(' ')}`;
    names[i].setAttribute('aria-label', readout.textContent);
  };
  const go = (stage) => {
    now = stage;
    names.forEach((name, i) => { const [x, y] = place(stages[stage].points[i]); name.style.transform = `translate(${x}px, ${y}px)`; });
    [...picker.querySelectorAll('[data-stage]')].forEach((button, n) => button.setAttribute('aria-pressed', n === stage));
    about.textContent = `${percent(stages[stage].explained)} ${words.explained}`;
    lines.replaceChildren();
    if (asked >= 0) tell(asked);
  };

  stages.forEach(({name, step}, n) => {
    const button = make('button', {'data-stage': n}, step === null ? name : `${name} · ${words.step} ${grouped(step)}`);
    button.addEventListener('click', () => { clearInterval(playing); go(n); });
    picker.append(button);
  });
  const play = make('button', {class: 'play', 'aria-label': words.play}, '▶');
  play.addEventListener('click', () => {
    clearInterval(playing);
    let next = 0;
    const step = () => { go(next); next += 1; if (next >= stages.length) clearInterval(playing); };
    step();
    playing = setInterval(step, STAGE_MS);
  });
  if (stages.length > 1) picker.prepend(play);
  const ask = ({target}) => { if (target.dataset.at) tell(Number(target.dataset.at)); };
  ['mouseover', 'focusin', 'click'].forEach((event) => plot.addEventListener(event, ask));
  arrows(plot, 'text', 5);
  root.append(picker, readout, plot, about);
  readout.textContent = words.map;
  go(now);
});
