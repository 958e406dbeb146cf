// A component that follows the disk is told of it in two ways: as the output of an event, and by a look, which goes past
// Gradio (playground/quick_look.py, pace.js). `follow` is for both; this stands before the component's own script.
const followers = [];
const follow = (then) => { followers.push(then); };
const followed = () => followers.forEach((then) => then());
watch('value', followed);
(window.lmTold ??= {})[element.parentElement.closest('[id]').id] = (value) => {
  props.value = value;
  followed();
};
