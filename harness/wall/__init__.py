"""Plans played in real time, on real sockets: through a fault proxy on loopback, or against an account."""
