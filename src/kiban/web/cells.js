// SPDX-License-Identifier: GPL-2.0-or-later
// A part of a table's rows. NiceGUI makes a new component of a slot's template each time a table is drawn, and Vue then
// makes all cells anew, under a visitor's fingers. Here the same template is the same component for good, so that only
// what differs is changed in the page.
const made = new Map();

function component(template) {
  if (!made.has(template)) made.set(template, Vue.markRaw({ props: ["props", "tell"], template }));
  return made.get(template);
}

export default {
  props: { template: String, scope: Object },
  inheritAttrs: false, // NiceGUI's id would be on each row
  methods: {
    tell(event, value) {
      this.$parent.$emit(event, value);
    },
  },
  render() {
    return Vue.h(component(this.template), { props: this.scope, tell: this.tell });
  },
};
