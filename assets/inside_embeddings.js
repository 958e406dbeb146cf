// The tokens as points on two axes; a scrubber over the stages of the training, every token moving to its place.
const PLAY_SECONDS = 9; // the whole of it, whatever the number of stages, within these bounds:
const SHORTEST = 150, LONGEST = 1400; // milliseconds a stage
let playing = 0;

start(({tokens, stages, words}) => {
  clearInterval(playing);
  playing = 0;
  const width = 760, height = 470, edge = 26, end = stages.length - 1;
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
  const readout = make('p', {class: 'readout hint', 'aria-live': 'polite'}), about = make('p', {class: 'fine'});
  const stepOf = ({step}) => (step === null ? '' : `${words.step} ${grouped(step)}`);
  let now = end, asked = -1;
  const listed = () => tokens.map((token, i) => [visible(token), ...stages[now].points[i].map((one) => one.toFixed(2)),
    stages[now].near[i].map((other) => visible(tokens[other])).join('  ')]);
  const inNumbers = tabled(words.as_table, [words.token, 'x', 'y', words.near], listed);

  const tell = (i) => {
    asked = i;
    const {points, near} = stages[now];
    lines.replaceChildren(...near[i].map((other) => {
      const [a, b] = [place(points[i]), place(points[other])];
      return vector('line', {x1: a[0], y1: a[1], x2: b[0], y2: b[1]});
    }));
    names.forEach((name, n) => { name.classList.toggle('asking', n === i); name.classList.toggle('alike', near[i].includes(n)); });
    readout.classList.remove('hint');
    readout.textContent = `${quoted(tokens[i])} · ${words.near}: ${near[i].map((other) => quoted(tokens[other])).join(' ')}`;
    names[i].setAttribute('aria-label', readout.textContent);
  };

  // The scrubber, and a button for each stage that has a name.
  const play = make('button', {class: 'play', 'aria-label': words.play}, '▶');
  const slider = make('input', {type: 'range', min: 0, max: end, value: end, 'aria-label': words.stages});
  const where = make('output'), scrub = make('div', {class: 'scrub'}, play, slider, where);
  const named = make('div', {class: 'segments-like', role: 'group', 'aria-label': words.stages});
  const pause = () => {
    clearInterval(playing);
    playing = 0;
    play.textContent = '▶';
    play.setAttribute('aria-label', words.play);
  };
  const go = (stage) => {
    now = stage;
    names.forEach((name, i) => { const [x, y] = place(stages[stage].points[i]); name.style.transform = `translate(${x}px, ${y}px)`; });
    named.querySelectorAll('button').forEach((button) => button.setAttribute('aria-pressed', Number(button.dataset.stage) === stage));
    slider.value = stage;
    slider.style.setProperty('--range_progress', `${end ? 100 * stage / end : 100}%`);
    where.textContent = stepOf(stages[stage]);
    slider.setAttribute('aria-valuetext', [where.textContent, stages[stage].name].filter(Boolean).join(', '));
    inNumbers.refresh();
    about.textContent = `${percent(stages[stage].explained)} ${words.explained}`;
    lines.replaceChildren();
    if (asked >= 0) tell(asked);
  };
  stages.forEach((stage, n) => {
    if (!stage.name) return;
    const button = make('button', {'data-stage': n}, [stage.name, stepOf(stage)].filter(Boolean).join(' · '));
    button.addEventListener('click', () => { pause(); go(n); });
    named.append(button);
  });
  slider.addEventListener('input', () => { pause(); go(Number(slider.value)); });
  play.addEventListener('click', () => {
    if (playing) { pause(); return; }
    const pace = isStill() ? LONGEST : Math.min(LONGEST, Math.max(SHORTEST, 1000 * PLAY_SECONDS / stages.length));
    plot.style.setProperty('--pace', `${pace}ms`);
    play.textContent = '❚❚';
    play.setAttribute('aria-label', words.pause);
    playing = setInterval(() => { if (now < end) go(now + 1); else pause(); }, pace);
    go(now < end ? now + 1 : 0);
  });

  const ask = ({target}) => { if (target.dataset.at) tell(Number(target.dataset.at)); };
  ['mouseover', 'focusin', 'click'].forEach((event) => plot.addEventListener(event, ask));
  arrows(plot, 'text', 5);
  root.append(...(end > 0 ? [scrub] : []), named, readout, plot, about, inNumbers.box);
  readout.textContent = words.hint;
  go(now);
});
