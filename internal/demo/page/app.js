import { connect } from '/pushd.js';
const config = await (await fetch('/demo/config.json')).json();
const c = connect();
for (const topic of config.topics) c.subscribe(topic, (m) => console.log(m.topic, m.data));
