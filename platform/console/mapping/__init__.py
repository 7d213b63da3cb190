"""Where does policy become what a screen shows? The one place of the console that knows ``coordination``."""
