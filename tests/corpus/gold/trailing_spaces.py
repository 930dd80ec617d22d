def spread(items):   
    """Keep   inner   spaces.  

    Trailing blanks are part of this text.   
    """
    total = 0   
    
    for item in items: 
        total += item
    
    return total	
