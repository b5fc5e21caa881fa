"""What the claims about speed are measured with; see README.md beside this file."""
