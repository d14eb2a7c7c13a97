// A broadcast with Socket.IO: what one says goes to everybody in the room, the sender included.

import { createServer } from "node:http";
import { Server } from "socket.io";

const server = createServer();
const io = new Server(server, { transports: ["websocket"] });

io.on("connection", (socket) => {
  let room;
  socket.on("join", (name) => {
    room = name;
    socket.join(room);
    socket.emit("joined");
  });
  socket.on("say", (text) => io.to(room).emit("said", text));
});

server.listen(0, "127.0.0.1", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
