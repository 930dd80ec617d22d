class Robot:
	'''Moves on a grid.'''

	MOVES = {'N': (0, 1), 'S': (0, -1),
			 'E': (1, 0), 'W': (-1, 0)}

	def __init__(self):
		self.x = self.y = 0

	def go(self, way):
		dx, dy = self.MOVES[way]
		self.x += dx
		self.y += dy
		return self.x, self.y
