"""Who is calling, and which OrderDesk stores are theirs."""
