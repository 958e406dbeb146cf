// The sample timeline: a scrubber over everything a run wrote. `props.value` carries only what is new (see
// playground/timeline.py). It stays at the newest sample until the reader goes back, and tells the chart where it is.
const find = (selector) => element.querySelector(selector);
const title = find('h3'), slider = find('input'), play = find('.play'), newest = find('.newest');
const given = find('.given'), made = find('.made'), page = find('.written'), teach = find('.teach'), keep = find('.keep');
const PLAY_SECONDS = 9; // the whole of it, whatever their number, within these bounds:
const SHORTEST = 120, LONGEST = 900; // milliseconds a sample

let state = null, clock = null;

const last = () => state.samples.length - 1;
const isAtEnd = () => state.at >= last();
const step = () => state.samples[state.at][0];

const show = (at) => {
  state.at = Math.max(0, Math.min(last(), at));
  const [, prompt, text] = state.samples[state.at], {words} = state;
  const steps = state.maxSteps ? words.of.replace('{steps}', state.maxSteps.toLocaleString()) : '';
  title.textContent = words.title.replace('{step}', step().toLocaleString() + steps);
  slider.value = state.at;
  slider.style.setProperty('--range_progress', `${last() ? 100 * state.at / last() : 0}%`);
  slider.setAttribute('aria-valuetext', words.at.replace('{step}', step()).replace('{n}', state.at + 1).replace('{all}', last() + 1));
  given.textContent = prompt;
  made.textContent = text;
  newest.style.visibility = isAtEnd() ? 'hidden' : 'visible';
  // A shorter text leaves the room of the longest one, so that nothing below moves.
  state.tallest = Math.max(state.tallest, Math.min(page.scrollHeight, 420));
  page.style.minHeight = `${state.tallest}px`;
  page.dataset.step = step();
  document.dispatchEvent(new CustomEvent('lm-sample', {detail: {step: isAtEnd() && !clock ? null : step()}}));
};

const pause = () => {
  clearInterval(clock);
  clock = null;
  play.classList.remove('playing');
  if (state) play.setAttribute('aria-label', state.words.play);
};

const start = () => {
  // Whoever asked their system for less motion reads every text for a moment.
  const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const pace = isStill ? LONGEST : Math.min(LONGEST, Math.max(SHORTEST, 1000 * PLAY_SECONDS / (last() + 1)));
  play.classList.add('playing');
  play.setAttribute('aria-label', state.words.pause);
  clock = setInterval(() => {
    if (isAtEnd()) { pause(); show(last()); } else show(state.at + 1);
  }, pace);
  show(isAtEnd() ? 0 : state.at + 1);
};

play.addEventListener('click', () => { if (clock) { pause(); show(state.at); } else if (last() > 0) start(); });
slider.addEventListener('input', () => { pause(); show(Number(slider.value)); });
newest.addEventListener('click', () => { pause(); show(last()); slider.focus(); });
keep.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (button) trigger('keep', {kind: button.dataset.kind});
});
document.addEventListener('lm-measurement', (event) => {
  if (!state || last() < 0) return;
  pause();
  const near = (sample) => Math.abs(sample[0] - event.detail.step);
  show(state.samples.reduce((best, sample, i) => (near(sample) < near(state.samples[best]) ? i : best), 0));
});

const label = () => {
  const {words} = state, isEmpty = last() < 0;
  slider.setAttribute('aria-label', words.scrub);
  play.setAttribute('aria-label', clock ? words.pause : words.play);
  newest.textContent = words.newest;
  keep.querySelector('span').textContent = words.keep;
  for (const button of keep.querySelectorAll('button')) button.setAttribute('aria-label', words[`keep_${button.dataset.kind}`]);
  keep.hidden = last() < 1;
  find('.scrub').hidden = isEmpty;
  page.hidden = isEmpty;
  teach.textContent = isEmpty ? words.empty : '';
  if (isEmpty) title.textContent = words.none;
  play.disabled = slider.disabled = last() < 1;
};

const update = () => {
  const value = props.value;
  if (!value || !value.words && !state) return;
  if (value.reset || !state || value.run !== state.run) {
    pause();
    state = {run: value.run, words: value.words || state.words, samples: [], at: -1, tallest: 0};
    page.style.minHeight = '';
  }
  const wasAtEnd = isAtEnd();
  const latest = last() < 0 ? -1 : state.samples[last()][0];
  state.samples.push(...value.samples.filter(([at]) => at > latest)); // told twice
  state.maxSteps = value.max_steps;
  slider.max = Math.max(0, last());
  label();
  if (last() >= 0) show(wasAtEnd && !clock ? last() : state.at);
};

update();
whenTold(update);
// Another width breaks the lines elsewhere: the room is measured anew.
let width = 0;
new ResizeObserver(() => {
  if (!state || element.clientWidth === width) return;
  width = element.clientWidth;
  state.tallest = 0;
  page.style.minHeight = '';
  if (last() >= 0) show(state.at);
}).observe(element);
