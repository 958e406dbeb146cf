// A component that follows the disk is told of it in two ways: as the output of an event, and by a look, which goes past
// Gradio (playground/quick_look.py, pace.js). `whenTold` is for both; this stands before the component's own script. A
// component exists once its tab or its drawer was opened: it was told nothing before, so it asks for a look.
const listeners = [];
const whenTold = (then) => { listeners.push(then); };
const tellAll = () => listeners.forEach((then) => then());
watch('value', tellAll);
(window.lmTold ??= {})[element.parentElement.closest('[id]').id] = (value) => {
  props.value = value;
  tellAll();
};
document.dispatchEvent(new Event('lm-told'));
