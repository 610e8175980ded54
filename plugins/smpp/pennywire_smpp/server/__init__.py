"""The SMPP server: customers bind to us with their user name. One listener serves all users whose application is started."""
