"""HTTP/1.1 for servers that the harness embeds: values and the server's side of a socket, without I/O."""
