"""What slip costs, measured: each module is a script that prints its own figures."""
