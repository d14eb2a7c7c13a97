// A broadcast with `ws`: a text frame goes to everybody on the same path, the sender included.

import { WebSocketServer } from "ws";

const rooms = new Map();
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });

server.on("connection", (socket, request) => {
  const room = rooms.get(request.url) ?? new Set();
  rooms.set(request.url, room.add(socket));
  socket.on("message", (data) => {
    for (const other of room) other.send(data, { binary: false });
  });
  socket.on("error", () => {});
  socket.on("close", () => room.delete(socket));
});

server.on("listening", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
